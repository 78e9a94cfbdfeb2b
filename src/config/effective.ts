// Between the sections of the file and the `Config` that the rest of the program reads, in both directions.

import { stringify } from 'yaml'
import { formatByteSize } from './byte-size.ts'
import type { Config, DataPortsConfig, ListenerConfig, PinholesConfig, PortRangeConfig } from './config.ts'
import { formatDuration } from './duration.ts'
import type { ListenerSection } from './listener-schema.ts'
import { formatPortRange } from './port-range.ts'
import type { FileSections } from './schema.ts'
import { formatListen, formatUpstream } from './socket-address.ts'

/** `dataPorts` comes resolved: slices are cut and translations are offsets. */
export function configOf(sections: FileSections, dataPorts: DataPortsConfig): Config {
  const { pinholes, limits, policy, admin, log, shutdown, workers } = sections
  return {
    listeners: sections.listeners.map(listenerOf),
    dataPorts,
    pinholes: {
      backend: pinholes.backend,
      timeoutMs: pinholes.timeout,
      mark: pinholes.mark,
      table: pinholes.table,
      admit: { ipv4: pinholes.admit.ipv4 ?? null, ipv6: pinholes.admit.ipv6 ?? null },
    },
    limits: {
      sessions: limits.sessions,
      sessionsPerClient: limits.sessionsPerClient,
      idleMs: limits.idle,
      replyMs: limits.reply,
      transferMs: limits.transfer,
      connectMs: limits.connect,
      loginMs: limits.login,
      lineBytes: limits.line,
      refusals: limits.refusals,
      pinholesPerClient: limits.pinholesPerClient === 'half' ? null : limits.pinholesPerClient,
    },
    policy,
    admin: admin === false ? null : admin,
    log: { ...log, transfers: log.transfers || null },
    shutdown: { drainTimeoutMs: shutdown.drainTimeout },
    workers,
  }
}

/**
 * The effective configuration as a file that would give it again: every key, nothing left to defaults, flags or
 * the environment. Data ports are already cut to this instance's slice.
 */
export function printConfig(config: Config): string {
  const { pinholes, limits, policy, admin, log, shutdown, workers } = config
  const tree = {
    listeners: config.listeners.map(printListener),
    dataPorts: printDataPorts(config.dataPorts),
    pinholes: printPinholes(pinholes),
    limits: {
      sessions: limits.sessions,
      sessionsPerClient: limits.sessionsPerClient,
      idle: formatDuration(limits.idleMs),
      reply: formatDuration(limits.replyMs),
      transfer: formatDuration(limits.transferMs),
      connect: formatDuration(limits.connectMs),
      login: formatDuration(limits.loginMs),
      line: formatByteSize(limits.lineBytes),
      refusals: limits.refusals,
      pinholesPerClient: limits.pinholesPerClient ?? 'half',
    },
    policy,
    admin: admin === null ? false : { listen: formatListen(admin.listen) },
    log: { ...log, transfers: log.transfers ?? false },
    shutdown: { drainTimeout: formatDuration(shutdown.drainTimeoutMs) },
    workers,
  }
  return stringify(tree, { lineWidth: 0 })
}

function listenerOf(listener: ListenerSection): ListenerConfig {
  const { upstream = null, activeSourcePort, upstreamKeepAlive, ...rest } = listener
  return {
    ...rest,
    upstream,
    activeSourcePort: activeSourcePort === 'any' ? null : activeSourcePort,
    upstreamKeepAliveMs: upstreamKeepAlive === 'off' ? null : upstreamKeepAlive,
  }
}

function printListener(listener: ListenerConfig) {
  const { name, listen, intercept, catches, upstream, source, upstreamMode, advertise } = listener
  const { activeSourcePort, upstreamVerbs, upstreamKeepAliveMs } = listener
  return {
    name,
    listen: formatListen(listen),
    intercept,
    ...(catches === undefined ? {} : { catches }),
    ...(upstream === null ? {} : { upstream: formatUpstream(upstream) }),
    source,
    upstreamMode,
    upstreamVerbs,
    upstreamKeepAlive: upstreamKeepAliveMs === null ? 'off' : formatDuration(upstreamKeepAliveMs),
    activeSourcePort: activeSourcePort ?? 'any',
    advertise,
  }
}

function printPinholes({ backend, timeoutMs, mark, table, admit }: PinholesConfig) {
  const { ipv4 = null, ipv6 = null } = admit ?? {}
  return {
    backend,
    timeout: formatDuration(timeoutMs),
    ...(mark === undefined ? {} : { mark }),
    ...(table === undefined ? {} : { table }),
    admit: { ...(ipv4 === null ? {} : { ipv4 }), ...(ipv6 === null ? {} : { ipv6 }) },
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
