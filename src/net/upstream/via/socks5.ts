// The client's side of SOCKS5. @see RFC 1928, RFC 1929

import { isIPv4, isIPv6 } from 'node:net'
import type { UpstreamFailure } from '../../../engine/contract.ts'
import { addressBytes } from '../../../kernel/sockaddr.ts'
import {
  type ProxyCredentials,
  refused,
  type TunnelDialogue,
  type TunnelStep,
  type TunnelTarget,
} from './dialogue.ts'

const VERSION = 5
const NO_AUTHENTICATION = 0
const USER_AND_PASSWORD = 2
const NONE_ACCEPTABLE = 0xff
const PASSWORD_VERSION = 1
const CONNECT = 1
const IPV4 = 1
const NAME = 3
const IPV6 = 4

/** REP of RFC 1928 §6. */
const replies: Readonly<Record<number, readonly [UpstreamFailure, string]>> = {
  1: ['proxy_refused', 'general failure'],
  2: ['proxy_refused', 'not allowed by its rules'],
  3: ['unreachable', 'network unreachable'],
  4: ['unreachable', 'host unreachable'],
  5: ['refused', 'connection refused'],
  6: ['timeout', 'TTL expired'],
  7: ['proxy_refused', 'command not supported'],
  8: ['proxy_refused', 'address type not supported'],
}

/** Credentials: up to 255 bytes each in UTF-8, as the configuration has checked. */
export function socks5(to: TunnelTarget, credentials: ProxyCredentials | null): TunnelDialogue {
  const methods = credentials === null ? [NO_AUTHENTICATION] : [NO_AUTHENTICATION, USER_AND_PASSWORD]
  let read = methodChosen
  /** What the steps before have read. */
  let at = 0

  function methodChosen(bytes: Buffer): TunnelStep | null {
    if (bytes.length < 2) return null
    const method = bytes[1]
    if (bytes[0] !== VERSION) return refused('proxy_refused', 'it does not speak SOCKS5')
    at = 2
    if (method === NO_AUTHENTICATION) return request()
    if (method === USER_AND_PASSWORD && credentials !== null) {
      read = authenticated
      return { type: 'say', bytes: passwordRequest(credentials) }
    }
    const wanted =
      method === NONE_ACCEPTABLE ? 'it accepts none of our ways to authenticate' : `it chose method ${method}`
    return refused(
      'proxy_refused',
      credentials === null ? `${wanted}: no user and password are configured` : wanted,
    )
  }

  function authenticated(bytes: Buffer): TunnelStep | null {
    if (bytes.length < at + 2) return null
    if (bytes[at + 1] !== 0) return refused('proxy_refused', 'it does not accept user and password')
    at += 2
    return request()
  }

  function request(): TunnelStep {
    read = answered
    return { type: 'say', bytes: connectRequest(to) }
  }

  function answered(bytes: Buffer): TunnelStep | null {
    const reply = bytes.subarray(at)
    const [version, code, , type, nameLength] = reply
    if (version !== undefined && version !== VERSION)
      return refused('proxy_refused', 'it does not speak SOCKS5')
    if (code !== undefined && code !== 0) {
      const [reason, detail] = replies[code] ?? ['proxy_refused', `failure ${code}`]
      return refused(reason, detail)
    }
    if (type === undefined || nameLength === undefined) return null
    if (type !== IPV4 && type !== IPV6 && type !== NAME)
      return refused('proxy_refused', `address type ${type}`)
    const length = 4 + (type === IPV4 ? 4 : type === IPV6 ? 16 : 1 + nameLength) + 2
    return reply.length < length ? null : { type: 'open', length: at + length }
  }

  return {
    opening: Buffer.from([VERSION, methods.length, ...methods]),
    read: (bytes) => read(bytes),
  }
}

function passwordRequest({ user, password }: ProxyCredentials): Buffer {
  const [name, secret] = [Buffer.from(user), Buffer.from(password)]
  return Buffer.concat([
    Buffer.from([PASSWORD_VERSION, name.length]),
    name,
    Buffer.from([secret.length]),
    secret,
  ])
}

function connectRequest({ host, port }: TunnelTarget): Buffer {
  return Buffer.concat([
    Buffer.from([VERSION, CONNECT, 0]),
    addressOf(host),
    Buffer.from([port >> 8, port & 0xff]),
  ])
}

function addressOf(host: string): Buffer {
  if (isIPv4(host) || isIPv6(host)) {
    return Buffer.concat([Buffer.from([isIPv4(host) ? IPV4 : IPV6]), addressBytes(host)])
  }
  const name = Buffer.from(host)
  return Buffer.concat([Buffer.from([NAME, name.length]), name])
}
