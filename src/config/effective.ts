// From the `Config` that the rest of the program reads back to a file.

import { stringify } from 'yaml'
import { formatDestination } from '../routing/destinations.ts'
import { formatByteSize } from './byte-size.ts'
import type {
  AdminConfig,
  Config,
  DataPortsConfig,
  HealthConfig,
  ListenerConfig,
  PoolConfig,
  PortRangeConfig,
  RouteConfig,
} from './config.ts'
import { formatDuration } from './duration.ts'
import { formatPortRange } from './port-range.ts'
import { formatListen, formatUpstream } from './socket-address.ts'
import { type PassthroughMode, printTls } from './tls-schema.ts'
import { formatVia } from './via.ts'

/**
 * The effective configuration as a file that would give it again: every key, nothing left to defaults, flags or
 * the environment. Data ports are already cut to this instance's slice.
 */
export function printConfig(config: Config): string {
  const { pinholes, limits, policy, admin, log, shutdown, reloadOnChange, workers } = config
  const tree = {
    ...(config.upstreams.length === 0 ? {} : { upstreams: config.upstreams.map(printPool) }),
    listeners: config.listeners.map(printListener),
    dataPorts: printDataPorts(config.dataPorts),
    pinholes: {
      backend: pinholes.backend,
      timeout: formatDuration(pinholes.timeoutMs),
      mark: pinholes.mark,
      table: pinholes.table,
      admit: { ipv4: pinholes.admit?.ipv4 ?? undefined, ipv6: pinholes.admit?.ipv6 ?? undefined },
    },
    limits: {
      sessions: limits.sessions,
      sessionsPerClient: limits.sessionsPerClient,
      idle: formatDuration(limits.idleMs),
      reply: formatDuration(limits.replyMs),
      transfer: formatDuration(limits.transferMs),
      connect: formatDuration(limits.connectMs),
      login: formatDuration(limits.loginMs),
      handshake: formatDuration(limits.handshakeMs),
      line: formatByteSize(limits.lineBytes),
      refusals: limits.refusals,
      pinholesPerClient: limits.pinholesPerClient ?? 'half',
    },
    policy,
    admin: admin === null ? false : printAdmin(admin),
    log: { ...log, transfers: log.transfers ?? false },
    shutdown: { drainTimeout: formatDuration(shutdown.drainTimeoutMs) },
    reloadOnChange,
    workers,
  }
  // What is undefined is left out.
  return stringify(tree, { lineWidth: 0 })
}

function printAdmin({ listen, token, drainFrom }: AdminConfig) {
  return { listen: formatListen(listen), token, drainFrom }
}

function printPool(pool: PoolConfig) {
  const { name, servers, balance, health, proxyProtocol, via, connectMs, slowStartMs, upstreamTls } = pool
  return {
    name,
    servers: servers.map(({ weight, backup, maxSessions, isSrv, ...address }) => ({
      ...(isSrv === true ? { srv: address.host } : { address: formatUpstream(address) }),
      weight,
      backup,
      maxSessions: maxSessions ?? 'unlimited',
    })),
    balance,
    health: health === null ? false : printHealth(health),
    slowStart: slowStartMs === undefined ? undefined : formatDuration(slowStartMs),
    proxyProtocol,
    via: via === null ? undefined : formatVia(via),
    connectTimeout: connectMs === undefined ? undefined : formatDuration(connectMs),
    upstreamMode: pool.upstreamMode,
    upstreamVerbs: pool.upstreamVerbs,
    upstreamTls: upstreamTls === null ? { mode: 'off' } : upstreamTls && printTls(upstreamTls),
  }
}

function printHealth({ intervalMs, timeoutMs, ...rest }: HealthConfig) {
  return { interval: formatDuration(intervalMs), timeout: formatDuration(timeoutMs), ...rest }
}

function printListener(listener: ListenerConfig) {
  const { name, listen, intercept, matches, upstream, source, upstreamMode, advertise } = listener
  const { activeSourcePort, upstreamVerbs, upstreamKeepAliveMs, tls, passthrough, upstreamTls, login } =
    listener
  return {
    name,
    listen: formatListen(listen),
    intercept,
    proxyProtocol: listener.proxyProtocol,
    matches,
    upstream: listener.pool ?? (upstream === null ? undefined : formatUpstream(upstream)),
    routes: listener.routes?.map(printRoute),
    login:
      login === undefined ? undefined : { ...login, destinations: login.destinations.map(formatDestination) },
    source,
    upstreamMode,
    upstreamVerbs,
    upstreamKeepAlive: upstreamKeepAliveMs === null ? 'off' : formatDuration(upstreamKeepAliveMs),
    activeSourcePort: activeSourcePort ?? 'any',
    advertise,
    ...(tls === undefined ? {} : { tls: printTls(tls) }),
    ...(passthrough === undefined ? {} : { tls: { mode: modeOf(passthrough) } }),
    ...(upstreamTls === undefined ? {} : { upstreamTls: printTls(upstreamTls) }),
  }
}

function modeOf(passthrough: 'explicit' | 'implicit'): PassthroughMode {
  return passthrough === 'explicit' ? 'passthrough' : 'passthrough-implicit'
}

function printRoute({ name, clients, serverName, host, user, upstream, pool }: RouteConfig) {
  return {
    name,
    clients,
    serverName: serverName ?? undefined,
    host: host ?? undefined,
    user: user ?? undefined,
    upstream: pool ?? formatUpstream(upstream),
  }
}

function printDataPorts({ client, server, shared }: DataPortsConfig) {
  return shared ? printSide(client) : { client: printSide(client), server: printSide(server) }
}

function printSide({ first, last, announceOffset }: PortRangeConfig) {
  const listen = formatPortRange({ first, last })
  if (announceOffset === 0) return listen
  const announce = formatPortRange({ first: first + announceOffset, last: last + announceOffset })
  return { listen, announce }
}
