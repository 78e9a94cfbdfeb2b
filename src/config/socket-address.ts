// Where we listen and where the upstream server is: a host and a port in one text.

import { isLoopback } from '../ftp/addresses.ts'
import { parseAddress, parseHost } from './address.ts'
import { accept, type Parsed, refuse, type TextForm } from './complaint.ts'
import type { ListenAddress, ListenerConfig } from './config.ts'
import { parsePort } from './port-range.ts'

export type Upstream = NonNullable<ListenerConfig['upstream']>

/** The FTP control port, RFC 959 §5.2. */
export const defaultFtpPort = 21

export const listenForm: TextForm<ListenAddress> = {
  name: 'listen address',
  allowed:
    'ADDRESS:PORT, [IPv6]:PORT, localhost:PORT or :PORT (all addresses), port 0 to 65535, as in 0.0.0.0:2121',
  pattern: '^(\\[[0-9A-Fa-f:.]+\\]|[0-9.]+|localhost|):[0-9]{1,5}$',
  parse: parseListen,
}

export const upstreamForm: TextForm<Upstream> = {
  name: 'host and port',
  allowed: 'HOST, HOST:PORT or [IPv6]:PORT, as in ftp.example.net:21; without a port it is 21',
  pattern: '^(\\[[0-9A-Fa-f:.]+\\]|[0-9A-Za-z_.-]+)(:[0-9]{1,5})?$',
  parse: parseUpstream,
}

/**
 * Reads a listen address. `'[::]:2121'` and `':2121'` both give `{ address: '::', port: 2121 }`, which the system
 * serves for IPv4 too; `'localhost:2121'` gives `127.0.0.1`, whatever the resolver thinks.
 *
 * Refuses names (they may resolve to several addresses, or to none at boot) and zone ids.
 */
export function parseListen(text: string): Parsed<ListenAddress> {
  const split = splitPort(text)
  if (!split.ok) return split
  const { host, bracketed, port: digits } = split.value
  if (digits === null) return refuse('has no port')
  const port = digits === '0' ? accept(0) : parsePort(digits)
  if (!port.ok) return port
  if (host === '' && !bracketed) return accept({ address: '::', port: port.value })
  if (host === 'localhost') return accept({ address: '127.0.0.1', port: port.value })
  const address = parseAddress(host)
  if (address.ok) return accept({ address: address.value, port: port.value })
  return parseHost(host).ok ? refuse('is a name where an address is needed') : address
}

/** Reads the upstream server. `'FTP.example.net'` gives `{ host: 'ftp.example.net', port: 21 }`. */
export function parseUpstream(text: string): Parsed<Upstream> {
  const split = splitPort(text)
  if (!split.ok) return split
  const { host, port: digits } = split.value
  if (host === '') return refuse('has no host')
  const port = digits === null ? accept(defaultFtpPort) : parsePort(digits)
  if (!port.ok) return port
  const parsed = parseHost(host)
  return parsed.ok ? accept({ host: parsed.value, port: port.value }) : parsed
}

export function formatListen(listen: ListenAddress): string {
  return `${bracketIfIPv6(listen.address)}:${listen.port}`
}

export function formatUpstream(upstream: Upstream): string {
  return `${bracketIfIPv6(upstream.host)}:${upstream.port}`
}

/**
 * Would both need the same port of the same address? A wildcard takes the port of every address of its family,
 * and `::` of both families. Port 0 never clashes.
 */
export function listensClash(one: ListenAddress, other: ListenAddress): boolean {
  if (one.port !== other.port || one.port === 0) return false
  return takesAddress(one.address, other.address) || takesAddress(other.address, one.address)
}

/** Would a connection to this upstream come back to this listen address, as far as the text can tell? */
export function upstreamIsListen(upstream: Upstream, listen: ListenAddress): boolean {
  if (upstream.port !== listen.port) return false
  const { host } = upstream
  const loopbacks = isLocalhost(host) ? ['127.0.0.1', '::1'] : [host]
  if (loopbacks.includes(listen.address)) return true
  // Which other addresses are ours only the running process knows; loopback is ours everywhere.
  return loopbacks.some((address) => isLoopback(address) && takesAddress(listen.address, address))
}

/** As far as the text can tell: which other addresses are ours only the running process knows. */
export function isThisMachine({ host }: Upstream): boolean {
  return isLocalhost(host) || isLoopback(host)
}

interface HostAndPort {
  readonly host: string
  readonly bracketed: boolean
  readonly port: string | null
}

function splitPort(text: string): Parsed<HostAndPort> {
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/s.exec(text)
  if (bracketed !== null) {
    const host = bracketed[1] ?? ''
    if (!host.includes(':')) return refuse('has brackets around something that is not an IPv6 address')
    return accept({ host, bracketed: true, port: bracketed[2] ?? null })
  }
  const plain = /^([^:]*)(?::([^:]*))?$/s.exec(text)
  if (plain !== null) return accept({ host: plain[1] ?? '', bracketed: false, port: plain[2] ?? null })
  return refuse(parseAddress(text).ok ? 'needs brackets around an IPv6 address' : 'is not a host and a port')
}

function bracketIfIPv6(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}

function takesAddress(taker: string, address: string): boolean {
  return taker === address || taker === '::' || (taker === '0.0.0.0' && !address.includes(':'))
}

function isLocalhost(host: string): boolean {
  return host === 'localhost' || host === 'localhost.'
}
