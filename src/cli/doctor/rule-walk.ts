// What a chain does with a new connection, rule by rule in their order, as far as rules of nft can be judged without
// sending a packet. What cannot be judged is taken to let it by.

/** A new TCP connection on its way. */
export interface Traveller {
  /** Where it goes to, both inclusive: all of these ports are meant. */
  readonly ports: { readonly first: number; readonly last: number }
  /** The ct mark that it carries, or null. */
  readonly mark: number | null
}

export interface WalkedRule {
  readonly handle: number
  /** Statements as nft prints them in JSON. */
  readonly expr: readonly unknown[]
}

/** How it ends. `drop`: the rule, and whether it asks for interfaces of which the traveller may come by others. */
export type Walk =
  | { readonly end: 'accept' }
  | { readonly end: 'drop'; readonly handle: number; readonly chain: string; readonly isPartial: boolean }
  /** Nothing decided: the policy does. */
  | { readonly end: 'policy' }

/** `maybe`: for some, by the interface that they come or go by. */
type Fit = 'yes' | 'maybe' | 'no'

/** Gives what becomes of it in the chain of this name; `rulesOf` gives the rules of each. */
export function walk(
  traveller: Traveller,
  chain: string,
  rulesOf: (chain: string) => readonly WalkedRule[],
  depth = 0,
): Walk {
  for (const { handle, expr } of rulesOf(chain)) {
    const fit = fitOf(expr, traveller)
    if (fit === 'no') continue
    const statements = expr.map((statement) => Object(statement) as Readonly<Record<string, unknown>>)
    for (const statement of statements) {
      if ('drop' in statement || 'reject' in statement) {
        return { end: 'drop', handle, chain, isPartial: fit === 'maybe' && !asksForPorts(expr) }
      }
      // Let in by some interfaces at least, which the administrator has chosen.
      if ('accept' in statement) return { end: 'accept' }
      if ('return' in statement && fit === 'yes') return { end: 'policy' }
      const target = targetOf(statement.jump) ?? targetOf(statement.goto)
      if (target === null || depth > 16) continue
      const inside = walk(traveller, target, rulesOf, depth + 1)
      if (inside.end !== 'policy') return inside
      if ('goto' in statement && fit === 'yes') return { end: 'policy' }
    }
  }
  return { end: 'policy' }
}

function targetOf(verdict: unknown): string | null {
  const { target } = Object(verdict)
  return typeof target === 'string' ? target : null
}

function asksForPorts(expr: readonly unknown[]): boolean {
  return expr.some((statement) => JSON.stringify(Object(statement).match?.left ?? null).includes('"dport"'))
}

function fitOf(expr: readonly unknown[], traveller: Traveller): Fit {
  let fit: Fit = 'yes'
  for (const statement of expr) {
    const { match, limit, vmap, connlimit } = Object(statement)
    // Above a rate, or by a map: not for everybody.
    if (limit !== undefined || vmap !== undefined || connlimit !== undefined || 'xt' in Object(statement)) {
      return 'no'
    }
    if (match === undefined) continue
    const one = matches(Object(match), traveller)
    if (one === 'no') return 'no'
    if (one === 'maybe') fit = 'maybe'
  }
  return fit
}

interface Match {
  readonly op?: unknown
  readonly left?: unknown
  readonly right?: unknown
}

function matches({ op, left, right }: Match, { ports, mark }: Traveller): Fit {
  const isNot = op === '!='
  const { ct, meta, payload, '&': masked } = Object(left)
  if (Array.isArray(masked) && Object(masked[0]).ct?.key === 'mark') {
    return mark === null ? 'no' : turned(holds((mark & Number(masked[1])) >>> 0, right), isNot)
  }
  if (ct?.key === 'mark') return mark === null ? turned(false, isNot) : turned(holds(mark, right), isNot)
  if (ct?.key === 'state') return turned(wordsOf(right).includes('new'), isNot)
  if (meta?.key === 'iifname' || meta?.key === 'iif') return byInterface(right, isNot)
  if (meta?.key === 'oifname' || meta?.key === 'oif') return byInterface(right, isNot)
  if (meta?.key === 'nfproto') return 'yes'
  const isProtocol = meta?.key === 'l4proto' || payload?.field === 'protocol' || payload?.field === 'nexthdr'
  if (isProtocol)
    return turned(
      wordsOf(right).some((word) => word === 'tcp' || word === '6'),
      isNot,
    )
  if (payload?.field === 'dport') {
    if (payload.protocol === 'udp' || typeof right === 'string') return 'no'
    const ranges = rangesOf(right)
    const isInside = (port: number) => ranges.some(([from, to]) => from <= port && port <= to)
    return turned(isInside(ports.first) && isInside(ports.last), isNot)
  }
  // Addresses, flags and whatever else: for certain packets only.
  return 'no'
}

function turned(isTrue: boolean, isNot: boolean): Fit {
  return isTrue === isNot ? 'no' : 'yes'
}

function byInterface(right: unknown, isNot: boolean): Fit {
  const isLoopback = right === 'lo'
  if (isLoopback) return isNot ? 'yes' : 'no'
  return 'maybe'
}

/** `"new"`, `["new","untracked"]` and `{"set":["new"]}`. */
function wordsOf(right: unknown): readonly string[] {
  const { set } = Object(right)
  return (Array.isArray(right) ? right : Array.isArray(set) ? set : [right]).map(String)
}

function holds(value: number, right: unknown): boolean {
  return rangesOf(right).some(([from, to]) => from <= value && value <= to)
}

/** `21`, `{"range":[30000,30999]}` and `{"set":[21,{"range":[30000,30999]}]}`. */
function rangesOf(right: unknown): (readonly [number, number])[] {
  if (typeof right === 'number') return [[right, right]]
  const { range, set } = Object(right)
  if (Array.isArray(range)) return [[Number(range[0]), Number(range[1])]]
  return Array.isArray(set) ? set.flatMap(rangesOf) : []
}
