// `ftp-alg explain`: where a client would be sent, and why, by the configuration alone.

import type { Config, ListenerConfig } from '../config/config.ts'
import { type PoolSettings, settingsFor } from '../config/pool-settings.ts'
import { AlgError } from '../errors.ts'
import { canonicalAddress, parseAddress, parseNetwork } from '../ftp/addresses.ts'
import { isOwnAddress } from '../kernel/own-addresses.ts'
import { DestinationList, formatDestination } from '../routing/destinations.ts'
import { parseLogin } from '../routing/login-name.ts'
import { defaultRoute, Routes, type RouteVerdict, type RouteWords } from '../routing/routes.ts'

export interface ExplainRequest {
  /** The client's address. */
  readonly client: string
  readonly user: string | undefined
  /** The host that it asks for with TLS. */
  readonly sni: string | undefined
  /** The host that it names with HOST. */
  readonly host: string | undefined
  /** Only this listener; absent: all. */
  readonly listener: string | undefined
  readonly stdout: { write(text: string): unknown }
}

/** Gives the exit code: 1 where no listener would serve the client. Errors: `AlgError` USAGE_INVALID. */
export function explain(config: Config, request: ExplainRequest): 0 | 1 {
  const client = parseAddress(request.client)
  if (client === null)
    throw new AlgError('USAGE_INVALID', `--client is not an IP address (given ${request.client})`)
  const listeners = config.listeners.filter(({ name }) => name === (request.listener ?? name))
  if (listeners.length === 0) {
    const names = config.listeners.map(({ name }) => name).join(', ')
    throw new AlgError('USAGE_INVALID', `--listener is none of ${names} (given ${request.listener})`)
  }
  const found = listeners.map((listener) =>
    explainListener(listener, config, { ...request, client: canonicalAddress(client) }),
  )
  request.stdout.write(`${found.map(({ lines }) => lines.join('\n')).join('\n')}\n`)
  return found.some(({ isServed }) => isServed) ? 0 : 1
}

interface Explained {
  readonly lines: readonly string[]
  readonly isServed: boolean
}

function explainListener(listener: ListenerConfig, config: Config, request: ExplainRequest): Explained {
  const { name, listen, intercept, login } = listener
  const title = `listener ${name} (${listen.address} port ${listen.port})`
  const { lines, isServed } =
    intercept !== 'none'
      ? { lines: [`the server that the client meant (intercept ${intercept})`], isServed: true }
      : login === undefined
        ? explainRoutes(listener, config, request)
        : explainLogin(login, request)
  return { lines: [title, ...lines.map((line) => `  ${line}`)], isServed }
}

function explainRoutes(listener: ListenerConfig, config: Config, request: ExplainRequest): Explained {
  const { routes = [], upstream, pool, tls, proxyProtocol } = listener
  const words: RouteWords = {
    serverName:
      tls === undefined && proxyProtocol.from.length === 0 ? null : (request.sni?.toLowerCase() ?? null),
    host: request.host?.toLowerCase() ?? null,
    user: request.user === undefined ? undefined : Buffer.from(request.user, 'utf8').toString('latin1'),
  }
  if (words.serverName !== null && words.host !== null && words.serverName !== words.host) {
    return { lines: ['refused: HOST names another host than TLS (504)'], isServed: false }
  }
  const table = new Routes(routes, { hasDefault: upstream !== null })
  const looked = table.explain(request.client, words).map((verdict) => verdictLine(verdict, request))
  const chosen = table.choose(request.client, words)
  if (chosen.type === 'undecided') {
    return { lines: [...looked, 'not decided: name a user with --user'], isServed: false }
  }
  if (chosen.type === 'none')
    return { lines: [...looked, 'refused: no route, and no upstream'], isServed: false }
  const own =
    upstream === null ? [] : [{ name: defaultRoute, upstream, ...(pool === undefined ? {} : { pool }) }]
  const to = [...routes, ...own].find(({ name }) => name === chosen.name)
  const isDefault = chosen.name === defaultRoute && routes.length > 0
  return {
    lines: [
      ...looked,
      ...(isDefault ? ['upstream of the listener: yes, no route matches'] : []),
      ...(to === undefined ? [] : serverLines(to, listener, config)),
    ],
    isServed: true,
  }
}

function verdictLine({ rule, verdict, condition }: RouteVerdict, request: ExplainRequest): string {
  const known = { clients: request.client, serverName: request.sni, host: request.host, user: request.user }
  const begin = `route ${rule.name}: ${verdict === 'unknown' ? 'perhaps' : verdict}`
  if (condition === null) {
    const reasons = (['clients', 'serverName', 'host', 'user'] as const).flatMap((key) =>
      rule[key] === null || rule[key].length === 0 ? [] : [`${key} ${listed(rule[key])} has ${known[key]}`],
    )
    return `${begin}, ${reasons.length === 0 ? 'it is for all clients' : reasons.join(', ')}`
  }
  const wanted = listed(rule[condition] ?? '')
  const given = known[condition]
  return `${begin}, ${condition} is ${wanted} and ${given === undefined ? 'none is given' : `${given} is given`}`
}

function listed(value: string | readonly string[]): string {
  return typeof value === 'string' ? value : value.join(' or ')
}

function serverLines(
  {
    upstream,
    pool,
  }: Pick<ListenerConfig, 'pool'> & { readonly upstream: NonNullable<ListenerConfig['upstream']> },
  listener: ListenerConfig,
  { upstreams }: Config,
): readonly string[] {
  const found = upstreams.find(({ name }) => name === pool)
  if (found === undefined) return [`server ${upstream.host} port ${upstream.port}`]
  return [
    `pool ${found.name}, balance ${found.balance}`,
    ...mannerLines(settingsFor(found, listener)),
    ...found.servers.map(
      ({ host, port, isSrv, weight, backup }) =>
        `  ${isSrv === true ? `servers of ${host} (SRV)` : `server ${host} port ${port}`}, weight ${weight}${backup ? ', backup' : ''}`,
    ),
  ]
}

function mannerLines({ upstreamMode, upstreamVerbs, upstreamTls }: PoolSettings): readonly string[] {
  const line = (key: string, value: string, { from }: { readonly from: 'pool' | 'listener' }) =>
    `  ${key} ${value} (of the ${from})`
  return [
    line('upstreamTls', upstreamTls.value?.mode ?? 'off', upstreamTls),
    line('upstreamMode', upstreamMode.value, upstreamMode),
    line('upstreamVerbs', `[${upstreamVerbs.value.join(', ')}]`, upstreamVerbs),
  ]
}

function explainLogin(login: NonNullable<ListenerConfig['login']>, request: ExplainRequest): Explained {
  const { client, user } = request
  const refused = (line: string): Explained => ({ lines: [line], isServed: false })
  const isAllowed = login.clients.some((network) => parseNetwork(network)?.matches(client) ?? true)
  if (!isAllowed) return refused(`refused: login.clients are ${login.clients.join(', ')} (421)`)
  const named = user === undefined ? null : parseLogin(user)
  if (named === null) return refused('not decided: name a user and a server with --user name@host')
  const list = new DestinationList(login.destinations, isOwnAddress)
  const { host, port } = named
  if (!list.admits(named)) {
    const allowed = login.destinations.map(formatDestination).join(', ')
    return refused(`refused: ${host} port ${port} is no destination, which are ${allowed} (530)`)
  }
  const again = parseAddress(host) === null ? ', unless it resolves to an address that is not allowed' : ''
  return { lines: [`server ${host} port ${port}, user ${named.user}${again}`], isServed: true }
}
