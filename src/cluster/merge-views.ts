// What the supervisor and its workers show, as one service.

import { mergeOutcomes } from '../observe/view/recent.ts'
import type {
  ListenerView,
  ListView,
  PoolView,
  RefusalView,
  ServerView,
  StatusView,
  TransferLogView,
} from '../observe/view/shapes.ts'

const MAX_REFUSALS = 50

export interface StatusParts {
  /** The supervisor's: it knows the configuration, and has no sessions. */
  readonly own: StatusView
  /** Of the workers that run. */
  readonly workers: readonly StatusView[]
  /** What is left of those that are gone, see `remainsOf`; null when none has gone. */
  readonly gone: StatusView | null
}

/** The supervisor's and its workers' status as that of one service. */
export function mergeStatus({ own, workers, gone }: StatusParts): StatusView {
  const parts = [...workers, ...(gone === null ? [] : [gone])]
  const all = [own, ...parts]
  return {
    ...own,
    memory_rss_bytes: total(all, (part) => part.memory_rss_bytes),
    draining: all.some((part) => part.draining),
    // A slower one is worth showing.
    tcp: workers.find(({ tcp }) => tcp !== null && tcp.reason !== null)?.tcp ?? workers[0]?.tcp ?? null,
    log_lines_lost: total(all, (part) => part.log_lines_lost),
    intruders_total: total(parts, (part) => part.intruders_total),
    session_defects_total: total(parts, (part) => part.session_defects_total),
    swallowed_lately: {
      input: total(workers, (part) => part.swallowed_lately.input),
      forward: total(workers, (part) => part.swallowed_lately.forward),
    },
    transfer_log: mergeTransferLogs(parts.flatMap((part) => part.transfer_log ?? [])),
    // The supervisor has the listeners in the order of the file, and their limits; it listens for none of them.
    listeners: own.listeners.map((mine) => {
      const isSame = ({ listener }: ListenerView) => listener === mine.listener
      const running = workers.flatMap((part) => part.listeners.filter(isSame))
      const known = [...running, ...(gone?.listeners.filter(isSame) ?? [])]
      return mergeListeners(known, {
        ...mine,
        lately: {
          upstream: mergeOutcomes(running.map(({ lately }) => lately.upstream)),
          sent_away: mergeOutcomes(running.map(({ lately }) => lately.sent_away)),
          data: mergeOutcomes(running.map(({ lately }) => lately.data)),
        },
        drained: running.some(({ drained }) => drained),
        up: running.length > 0 && running.every(({ up }) => up),
        address: known[0]?.address ?? null,
        port: known[0]?.port ?? null,
        certificates: running[0]?.certificates ?? [],
        certificates_problem:
          running.find((each) => each.certificates_problem !== null)?.certificates_problem ?? null,
      })
    }),
    pools: mergePools(parts.flatMap((part) => part.pools)),
    servers: mergeServers(parts.flatMap((part) => part.servers)),
    refusals: mergeRefusals(parts.flatMap((part) => part.refusals)).slice(0, MAX_REFUSALS),
  }
}

/** What was counted and refused, without what was going on: for a worker that is gone. */
export function remainsOf(status: StatusView): StatusView {
  return {
    ...status,
    memory_rss_bytes: 0,
    draining: false,
    transfer_log: status.transfer_log === null ? null : { ...status.transfer_log, problem: null },
    listeners: status.listeners.map((listener) => ({
      ...listener,
      up: false,
      drained: false,
      sessions_active: 0,
      data_connections_active: 0,
      pinholes_active: 0,
    })),
    pools: [],
    servers: [],
  }
}

/** Lists of the workers as one, in this order; `limit` items at most. */
export function mergeLists<Item>(
  lists: readonly ListView<Item>[],
  { limit, order }: { readonly limit: number; readonly order: (one: Item, other: Item) => number },
): ListView<Item> {
  return {
    total: total(lists, (list) => list.total),
    items: lists
      .flatMap((list) => list.items)
      .sort(order)
      .slice(0, limit),
  }
}

/** The oldest first, as in each worker's own list. */
export function byAge(one: { readonly age_ms: number }, other: { readonly age_ms: number }): number {
  return other.age_ms - one.age_ms
}

/** The workers append to one file; what troubles one of them is worth showing. */
function mergeTransferLogs(logs: readonly TransferLogView[]): TransferLogView | null {
  const [first] = logs
  if (first === undefined) return null
  return {
    ...first,
    problem: logs.find(({ problem }) => problem !== null)?.problem ?? null,
    lines_written: total(logs, (log) => log.lines_written),
    lines_lost: total(logs, (log) => log.lines_lost),
  }
}

function mergeListeners(group: readonly ListenerView[], base: ListenerView): ListenerView {
  const add = (key: NumericKey<ListenerView>) => total(group, (each) => Number(each[key]))
  return {
    ...base,
    sessions_active: add('sessions_active'),
    sessions_total: add('sessions_total'),
    sessions_rejected_total: add('sessions_rejected_total'),
    commands_denied_total: add('commands_denied_total'),
    upstream_failures_total: add('upstream_failures_total'),
    data_connections_active: add('data_connections_active'),
    data_connections_failed_total: add('data_connections_failed_total'),
    pinholes_active: add('pinholes_active'),
    upload_bytes: add('upload_bytes'),
    download_bytes: add('download_bytes'),
  }
}

function mergePools(pools: readonly PoolView[]): PoolView[] {
  const names = new Set(pools.map(({ pool }) => pool))
  return [...names].map((pool) => {
    const group = pools.filter((each) => each.pool === pool)
    return {
      pool,
      ports: total(group, (each) => each.ports),
      in_use: total(group, (each) => each.in_use),
      quarantined: total(group, (each) => each.quarantined),
    }
  })
}

/** One is up where every worker finds it so. */
function mergeServers(servers: readonly ServerView[]): ServerView[] {
  const merged = new Map<string, ServerView>()
  for (const server of servers) {
    const key = `${server.upstream} ${server.server}`
    const known = merged.get(key)
    merged.set(
      key,
      known === undefined
        ? server
        : {
            ...known,
            up: known.up && server.up,
            sessions_active: known.sessions_active + server.sessions_active,
            failures_total: known.failures_total + server.failures_total,
          },
    )
  }
  return [...merged.values()]
}

type NumericKey<T> = { [Key in keyof T]: T[Key] extends number ? Key : never }[keyof T]

/** The last ones first; one client that is refused for one reason is one entry, wherever its connections went. */
function mergeRefusals(refusals: readonly RefusalView[]): RefusalView[] {
  const merged = new Map<string, RefusalView>()
  for (const refusal of refusals.toSorted((one, other) => compare(other.time, one.time))) {
    const key = `${refusal.event} ${refusal.reason} ${refusal.client_ip}`
    const last = merged.get(key)
    merged.set(key, last === undefined ? refusal : { ...last, count: last.count + refusal.count })
  }
  return [...merged.values()]
}

/** ISO 8601 in UTC sorts as text. */
function compare(one: string, other: string): number {
  if (one === other) return 0
  return one < other ? -1 : 1
}

function total<Part>(parts: readonly Part[], of: (part: Part) => number): number {
  return parts.reduce((sum, part) => sum + of(part), 0)
}
