// What an operator should know first. Empty when all is well.

import type { ListenerView, PoolView, StatusView } from './shapes.ts'
import { formatCount, formatPlural, formatTime } from './wording.ts'

export interface Attention {
  /** `bad`: clients are affected or something is broken. `warn`: soon, or it is as somebody wanted. */
  readonly level: 'bad' | 'warn'
  readonly text: string
}

/** From this share on, a limit deserves a warning. */
export const NEARLY_FULL = 0.8

/** The worst first. `notReady` is why the process takes no sessions, or null. */
export function attentionOf(status: StatusView, notReady: string | null): readonly Attention[] {
  const all = [
    ...ofProcess(status, notReady),
    ...status.listeners.flatMap(ofListener),
    ...status.pools.flatMap(ofPool),
    ...ofTransferLog(status),
  ]
  return [...all.filter(({ level }) => level === 'bad'), ...all.filter(({ level }) => level === 'warn')]
}

function ofProcess(status: StatusView, notReady: string | null): readonly Attention[] {
  const { draining, listeners, config, session_defects_total: defects } = status
  const found: Attention[] = []
  if (draining) {
    const left = listeners.reduce((total, listener) => total + listener.sessions_active, 0)
    found.push(
      warn(`Draining: no new sessions, running transfers finish. ${formatPlural(left, 'session')} left.`),
    )
  } else if (notReady !== null) {
    found.push(bad(`Not ready: ${notReady}.`))
  }
  if (!config.last_reload_successful) {
    found.push(
      bad(
        `The last reload was refused. The configuration of ${formatTime(config.accepted_at)} stays in use; the log says what is wrong (event config.refuse).`,
      ),
    )
  }
  if (defects > 0) {
    found.push(
      bad(
        `${formatPlural(defects, 'session')} ended by a defect of this proxy; see event session.fail in the log.`,
      ),
    )
  }
  return found
}

function ofListener({
  listener,
  up,
  sessions_active: active,
  sessions_limit: limit,
}: ListenerView): Attention[] {
  if (!up) return [bad(`Listener ${listener} is not up.`)]
  const use = `${formatCount(active)} of ${formatCount(limit)} sessions`
  if (active >= limit)
    return [bad(`Listener ${listener} is full (${use}): new clients are sent away with 421.`)]
  return active >= NEARLY_FULL * limit ? [warn(`Listener ${listener} is nearly full: ${use}.`)] : []
}

function ofPool({ pool, ports, in_use: used }: PoolView): Attention[] {
  const name = pool === 'shared' ? 'Data ports' : `Data ports for ${pool}s`
  const use = `${formatCount(used)} of ${formatCount(ports)} in use`
  if (used >= ports) return [bad(`${name}: ${use}. Clients may get 425 until some are free.`)]
  return used >= NEARLY_FULL * ports ? [warn(`${name} are running out: ${use}.`)] : []
}

function ofTransferLog({ transfer_log: log }: StatusView): readonly Attention[] {
  if (log === null || log.problem === null) return []
  const loss = log.lines_lost > 0 ? `, ${formatPlural(log.lines_lost, 'line')} lost` : ''
  return [
    warn(
      `The transfer log ${log.file} cannot be written: ${log.problem}${loss}. It is tried again every second.`,
    ),
  ]
}

function bad(text: string): Attention {
  return { level: 'bad', text }
}

function warn(text: string): Attention {
  return { level: 'warn', text }
}
