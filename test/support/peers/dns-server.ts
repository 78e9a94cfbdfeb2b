// A DNS server over UDP for names that a test makes up: A, AAAA and SRV records, and NXDOMAIN for everything else.

import { createSocket } from 'node:dgram'

export interface SrvRecord {
  readonly priority: number
  readonly weight: number
  readonly port: number
  readonly name: string
}

export interface Zone {
  /** IPv4 addresses by name. */
  readonly a?: Readonly<Record<string, readonly string[]>>
  readonly srv?: Readonly<Record<string, readonly SrvRecord[]>>
  readonly ttl: number
}

export interface DnsServer {
  readonly address: string
  /** How often a name was asked for, with any type. */
  asked(name: string): number
  /** From now on. Null: it answers SERVFAIL. */
  serve(zone: Zone | null): void
  close(): void
}

const types = { a: 1, srv: 33 } as const

export async function startDnsServer(first: Zone): Promise<DnsServer> {
  let zone: Zone | null = first
  const counts = new Map<string, number>()
  const socket = createSocket('udp4')
  socket.on('message', (query, from) => {
    const { name, type, end } = questionOf(query)
    counts.set(name, (counts.get(name) ?? 0) + 1)
    socket.send(answer(query.subarray(0, end), { name, type, zone }), from.port, from.address)
  })
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
  return {
    address: `127.0.0.1:${socket.address().port}`,
    asked: (name) => counts.get(name) ?? 0,
    serve: (next) => {
      zone = next
    },
    close: () => socket.close(),
  }
}

/**
 * For a process: names are asked for there, and by `lookup` too, which knows localhost by itself. What imports them after this
 * gets these.
 */
export function resolvingAt({ address }: DnsServer): string {
  return `
import dns from 'node:dns/promises'
import { syncBuiltinESMExports } from 'node:module'
dns.setServers(['${address}'])
const lookup = dns.lookup
dns.lookup = async (host, options) => {
  if (host === 'localhost') return lookup(host, options)
  try {
    return (await dns.resolve4(host)).map((address) => ({ address, family: 4 }))
  } catch (error) {
    throw Object.assign(new Error('getaddrinfo ' + error.code + ' ' + host), { code: error.code })
  }
}
syncBuiltinESMExports()`
}

function questionOf(query: Buffer): { readonly name: string; readonly type: number; readonly end: number } {
  const labels: string[] = []
  let at = 12
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length))
    at += 1 + length
  }
  return { name: labels.join('.').toLowerCase(), type: query.readUInt16BE(at + 1), end: at + 5 }
}

/** @see RFC 1035 §4.1, RFC 2782 */
function answer(
  question: Buffer,
  { name, type, zone }: { readonly name: string; readonly type: number; readonly zone: Zone | null },
): Buffer {
  const [addresses, services] = [zone?.a?.[name], zone?.srv?.[name]]
  const found: Buffer[] = []
  if (type === types.a)
    for (const each of addresses ?? []) found.push(Buffer.from(each.split('.').map(Number)))
  if (type === types.srv) for (const each of services ?? []) found.push(serviceOf(each))
  const isKnown = addresses !== undefined || services !== undefined
  const code = zone === null ? 2 : isKnown ? 0 : 3
  const head = Buffer.from(question)
  // An answer, recursion available; one question, and nothing of EDNS.
  head.writeUInt16BE(0x8180 | code, 2)
  head.writeUInt16BE(found.length, 6)
  head.writeUInt16BE(0, 8)
  head.writeUInt16BE(0, 10)
  return Buffer.concat([head, ...found.map((data) => recordOf(type, zone?.ttl ?? 0, data))])
}

function recordOf(type: number, ttl: number, data: Buffer): Buffer {
  const head = Buffer.alloc(12)
  // The name of the question.
  head.writeUInt16BE(0xc00c, 0)
  head.writeUInt16BE(type, 2)
  head.writeUInt16BE(1, 4)
  head.writeUInt32BE(ttl, 6)
  head.writeUInt16BE(data.length, 10)
  return Buffer.concat([head, data])
}

function serviceOf({ priority, weight, port, name }: SrvRecord): Buffer {
  const head = Buffer.alloc(6)
  head.writeUInt16BE(priority, 0)
  head.writeUInt16BE(weight, 2)
  head.writeUInt16BE(port, 4)
  const labels = name.split('.').filter((label) => label !== '')
  const encoded = labels.map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]))
  return Buffer.concat([head, ...encoded, Buffer.from([0])])
}
