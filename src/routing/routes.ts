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

/** One route and one client: `no` with the first condition that does not hold, `unknown` with one that is not known. */
export interface RouteVerdict {
  readonly rule: RouteRule
  readonly verdict: 'yes' | 'no' | 'unknown'
  readonly condition: 'clients' | keyof RouteWords | null
}

interface Compiled {
  readonly rule: RouteRule
  readonly networks: readonly Network[]
  readonly conditions: readonly { readonly word: keyof RouteWords; readonly matches: Matches }[]
}

export class Routes {
  readonly #routes: readonly Compiled[]
  readonly #hasDefault: boolean
  /** HOST is a condition of some route. */
  readonly usesHost: boolean
  /** `'routes partners:user=partner-* inner:clients=10.0.0.0%2F8 default'`: one word a route, values as in URLs. */
  readonly notation: string

  /** `hasDefault`: what no route is for goes to the listener's own upstream. */
  constructor(rules: readonly RouteRule[], { hasDefault }: { readonly hasDefault: boolean }) {
    this.#routes = rules.map(compile)
    this.#hasDefault = hasDefault
    this.usesHost = rules.some(({ host }) => host !== null)
    this.notation = ['routes', ...rules.map(notationOf), ...(hasDefault ? [defaultRoute] : [])].join(' ')
  }

  /** `client` is a canonical address. */
  choose(client: string, words: RouteWords): Routing {
    return this.of(client)(words)
  }

  /** The same for several questions about one client. */
  of(client: string): (words: RouteWords) => Routing {
    const routes = this.#routes.filter((route) => isFor(route, client))
    return (words) => {
      for (const route of routes) {
        const { verdict } = judge(route, words)
        if (verdict === 'unknown') return { type: 'undecided' }
        if (verdict === 'yes') return { type: 'route', name: route.rule.name }
      }
      return this.#hasDefault ? { type: 'route', name: defaultRoute } : { type: 'none' }
    }
  }

  /** The routes that are looked at, in order, up to the one that `choose` stops at. */
  explain(client: string, words: RouteWords): readonly RouteVerdict[] {
    const verdicts = this.#routes.map(
      (route): RouteVerdict =>
        isFor(route, client)
          ? judge(route, words)
          : { rule: route.rule, verdict: 'no', condition: 'clients' },
    )
    const last = verdicts.findIndex(({ verdict }) => verdict !== 'no')
    return last < 0 ? verdicts : verdicts.slice(0, last + 1)
  }
}

function isFor({ networks }: Compiled, client: string): boolean {
  return networks.length === 0 || networks.some((network) => network?.matches(client) ?? true)
}

function judge({ rule, conditions }: Compiled, words: RouteWords): RouteVerdict {
  let unknown: keyof RouteWords | null = null
  for (const { word, matches } of conditions) {
    const said = words[word]
    if (said === undefined) unknown ??= word
    else if (said === null || !matches(said)) return { rule, verdict: 'no', condition: word }
  }
  return { rule, verdict: unknown === null ? 'yes' : 'unknown', condition: unknown }
}

function compile(rule: RouteRule): Compiled {
  const { clients, serverName, host, user } = rule
  const patterns = { serverName, host, user: user === null ? null : asOnTheWire(user) }
  const words = ['serverName', 'host', 'user'] as const
  return {
    rule,
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
