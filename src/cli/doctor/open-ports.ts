// Whether chains that drop what they do not know let in what only its port tells: connections that clients make to a listener
// by themselves, and data connections where a relay has no elements in the kernel.

import type { Config } from '../../config/config.ts'
import { type Finding, fail, needsOf, ok, warn } from './finding.ts'

/** Ports that are awaited, both inclusive. */
export interface AwaitedPorts {
  readonly first: number
  readonly last: number
  /** `'listener edge'` */
  readonly what: string
}

/** Of one statement of a rule as nft prints it in JSON. */
interface Match {
  readonly left?: unknown
  readonly right?: unknown
  readonly op?: unknown
}

export function awaitedPorts(config: Config): readonly AwaitedPorts[] {
  const { listeners, dataPorts } = config
  const isLoopback = (address: string) => address.startsWith('127.') || address === '::1'
  const open = listeners.filter(
    ({ intercept, listen }) => intercept === 'none' && !isLoopback(listen.address),
  )
  const control = open.map(({ name, listen: { port } }) => ({
    first: port,
    last: port,
    what: `listener ${name}`,
  }))
  // Elsewhere our mark lets data connections in.
  if (needsOf(config).kernel || open.length === 0) return control
  const { client, server } = dataPorts
  const ranges = dataPorts.shared ? [client] : [client, server]
  return [...control, ...ranges.map(({ first, last }) => ({ first, last, what: 'data connections' }))]
}

/** `chain`: `'inet filter input'`; `rules`: the statements of each rule that a packet to it can reach, as JSON text. */
export function checkOpenPorts(
  config: Config,
  { chain, rules }: { readonly chain: string; readonly rules: readonly string[] },
): readonly Finding[] {
  const check = 'your input chain'
  const awaited = awaitedPorts(config)
  if (awaited.length === 0) return []
  if (rules.some((rule) => rule.includes('"xt":'))) {
    return [warn(check, `${chain} has rules of iptables that cannot be judged here`, 'iptables -S INPUT')]
  }
  const shut = awaited.filter((ports) => !rules.some((rule) => lets(rule, ports)))
  if (shut.length === 0) return [ok(check, `${chain} drops by default and lets our ports in`)]
  return shut.map(({ first, last, what }) => {
    const ports = first === last ? `${first}` : `${first}-${last}`
    return fail(
      check,
      `${chain} drops by default and does not accept port ${ports} (${what})`,
      `nft insert rule ${chain} tcp dport ${ports} accept`,
    )
  })
}

/** Whether a rule accepts new connections to all of these ports, from some addresses at least. */
function lets(rule: string, ports: AwaitedPorts): boolean {
  const statements: readonly { readonly match?: Match; readonly accept?: null }[] = JSON.parse(rule)
  if (!statements.some((statement) => 'accept' in statement)) return false
  let isForPort = true
  for (const { match } of statements) {
    const left = JSON.stringify(match?.left ?? null)
    const right = JSON.stringify(match?.right ?? null)
    if (match === undefined) continue
    if (left.includes('"dport"')) isForPort = covers(match, ports)
    else if (left.includes('"key":"state"') && !right.includes('new')) return false
    // Rules for the loopback, for other protocols and for marked packets let no client in.
    else if (left.includes('"iifname"') || left.includes('"iif"')) isForPort &&= right !== '"lo"'
    else if (left.includes('"mark"')) return false
    else if (/"(l4proto|protocol|nexthdr)"/.test(left)) isForPort &&= /tcp|6/.test(right)
    else if (/"protocol":"(icmp|icmpv6|udp)/.test(left)) return false
  }
  return isForPort
}

function covers({ left, right, op }: Match, { first, last }: AwaitedPorts): boolean {
  if (JSON.stringify(left).includes('"udp"') || op === '!=') return false
  // A set of its own: what is in it changes.
  if (typeof right === 'string') return true
  const ranges = rangesOf(right)
  return [first, last].every((port) => ranges.some(([from, to]) => from <= port && port <= to))
}

/** `21`, `{"range":[30000,30999]}` and `{"set":[21,{"range":[30000,30999]}]}`. */
function rangesOf(right: unknown): (readonly [number, number])[] {
  if (typeof right === 'number') return [[right, right]]
  const { range, set } = Object(right)
  if (Array.isArray(range)) return [[Number(range[0]), Number(range[1])]]
  return Array.isArray(set) ? set.flatMap(rangesOf) : []
}
