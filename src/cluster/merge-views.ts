import type { ListenerView, ListView, PoolView, StatusView, TransferLogView } from '../observe/view/shapes.ts'

const MAX_REFUSALS = 50

/** The workers' status as that of one service; `own` is the supervisor's. */
export function mergeStatus(
  parts: readonly StatusView[],
  own: Pick<StatusView, 'pid' | 'started_at' | 'uptime_ms' | 'memory_rss_bytes' | 'config'>,
): StatusView | null {
  const [first] = parts
  if (first === undefined) return null
  return {
    ...first,
    ...own,
    memory_rss_bytes: own.memory_rss_bytes + total(parts, (part) => part.memory_rss_bytes),
    draining: parts.some((part) => part.draining),
    log_lines_lost: total(parts, (part) => part.log_lines_lost),
    intruders_total: total(parts, (part) => part.intruders_total),
    session_defects_total: total(parts, (part) => part.session_defects_total),
    transfer_log: mergeTransferLogs(parts.flatMap((part) => part.transfer_log ?? [])),
    listeners: mergeBy(
      parts,
      (part) => part.listeners,
      (each) => each.listener,
      mergeListeners,
    ),
    pools: mergeBy(
      parts,
      (part) => part.pools,
      (each) => each.pool,
      mergePools,
    ),
    refusals: parts
      .flatMap((part) => part.refusals)
      .sort((a, b) => (a.time < b.time ? 1 : -1))
      .slice(0, MAX_REFUSALS),
  }
}

export function mergeLists<Item>(lists: readonly ListView<Item>[], limit: number): ListView<Item> {
  return {
    total: total(lists, (list) => list.total),
    items: lists.flatMap((list) => list.items).slice(0, limit),
  }
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

function mergeListeners(group: readonly ListenerView[], first: ListenerView): ListenerView {
  const add = (key: NumericKey<ListenerView>) => total(group, (each) => Number(each[key]))
  return {
    ...first,
    up: group.every((each) => each.up),
    sessions_active: add('sessions_active'),
    sessions_limit: add('sessions_limit'),
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

function mergePools(group: readonly PoolView[], first: PoolView): PoolView {
  return {
    ...first,
    ports: total(group, (each) => each.ports),
    in_use: total(group, (each) => each.in_use),
    quarantined: total(group, (each) => each.quarantined),
  }
}

type NumericKey<T> = { [Key in keyof T]: T[Key] extends number ? Key : never }[keyof T]

function mergeBy<Part, Item>(
  parts: readonly Part[],
  itemsOf: (part: Part) => readonly Item[],
  keyOf: (item: Item) => string,
  merge: (group: readonly Item[], first: Item) => Item,
): Item[] {
  const groups = new Map<string, [Item, ...Item[]]>()
  for (const item of parts.flatMap(itemsOf)) {
    const group = groups.get(keyOf(item))
    if (group === undefined) groups.set(keyOf(item), [item])
    else group.push(item)
  }
  return [...groups.values()].map((group) => merge(group, group[0]))
}

function total<Part>(parts: readonly Part[], of: (part: Part) => number): number {
  return parts.reduce((sum, part) => sum + of(part), 0)
}
