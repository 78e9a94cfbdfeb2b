// Which server is a client's: the routes of one listener, the first that matches wins. Each condition of a route may hold,
// not hold, or not be known yet; the answer is `undecided` only where what is not known can still change it.

import { type Network, parseNetwork } from '../ftp/addresses.ts'
import { globMatcher, type Matches } from './glob.ts'

/** Every condition that is named must hold; null or an empty list names none. */
export interface RouteRule {
  /** Unique in the listener. */
  readonly name: string
  /** Networks in canonical CIDR text. */
  readonly clients: readonly string[]
  /** Patterns, see `globMatcher`; host names in lower case. */
  readonly serverName: string | null
  readonly host: string | null
  readonly user: string | null
}

/** What is known of a client; undefined: it may still say it. */
export interface RouteWords {
  readonly serverName: string | null | undefined
  readonly host: string | null | undefined
  /** As it came over the wire: one character is one byte. */
  readonly user: string | undefined
}

export type Routing =
  | { readonly type: 'route'; readonly name: string }
  | { readonly type: 'undecided' }
  | { readonly type: 'none' }

/** The name of what is not a route but the listener's own upstream. */
export const defaultRoute = 'default'

interface Compiled {
  readonly name: string
  readonly networks: readonly Network[]
  readonly conditions: readonly { readonly word: keyof RouteWords; readonly matches: Matches }[]
}

export class Routes {
  readonly #routes: readonly Compiled[]
  readonly #hasDefault: boolean
  /** HOST is a condition of some route. */
  readonly usesHost: boolean
  /** `'partners:user=partner-* inner:clients=10.0.0.0%2F8 default'`: one word a route, values as in URLs. */
  readonly notation: string

  /** `hasDefault`: what no route is for goes to the listener's own upstream. */
  constructor(rules: readonly RouteRule[], { hasDefault }: { readonly hasDefault: boolean }) {
    this.#routes = rules.map(compile)
    this.#hasDefault = hasDefault
    this.usesHost = rules.some(({ host }) => host !== null)
    this.notation = [...rules.map(notationOf), ...(hasDefault ? [defaultRoute] : [])].join(' ')
  }

  /** `client` is a canonical address. */
  choose(client: string, words: RouteWords): Routing {
    for (const { name, networks, conditions } of this.#routes) {
      if (networks.length > 0 && !networks.some((network) => network?.matches(client) ?? true)) continue
      const verdict = judge(conditions, words)
      if (verdict === 'undecided') return { type: 'undecided' }
      if (verdict) return { type: 'route', name }
    }
    return this.#hasDefault ? { type: 'route', name: defaultRoute } : { type: 'none' }
  }
}

function judge(conditions: Compiled['conditions'], words: RouteWords): boolean | 'undecided' {
  let verdict: true | 'undecided' = true
  for (const { word, matches } of conditions) {
    const said = words[word]
    if (said === undefined) verdict = 'undecided'
    else if (said === null || !matches(said)) return false
  }
  return verdict
}

function compile({ name, clients, serverName, host, user }: RouteRule): Compiled {
  const patterns = { serverName, host, user: user === null ? null : asOnTheWire(user) }
  const words = ['serverName', 'host', 'user'] as const
  return {
    name,
    networks: clients.map(parseNetwork),
    conditions: words.flatMap((word) => {
      const pattern = patterns[word]
      return pattern === null ? [] : [{ word, matches: globMatcher(pattern) }]
    }),
  }
}

function notationOf({ name, clients, serverName, host, user }: RouteRule): string {
  const conditions = Object.entries({ clients: clients.join(' ') || null, serverName, host, user }).flatMap(
    ([key, value]) => (value === null ? [] : [`${key}=${encodeURIComponent(value)}`]),
  )
  return `${name}:${conditions.join(',')}`
}

/** `'jörg'` in UTF-8, one character a byte. */
function asOnTheWire(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1')
}
