// What an operator should know first. Empty when all is well.

import { tracker } from '../tracker.ts'
import type { ListenerView, PoolView, StatusView } from './shapes.ts'
import { formatCount, formatDuration, formatPlural, formatTime } from './wording.ts'

export interface Attention {
  /** `bad`: clients are affected or something is broken. `warn`: soon, or it was asked for. */
  readonly level: 'bad' | 'warn'
  readonly text: string
}

/** From this share on, a limit deserves a warning. */
export const NEARLY_FULL = 0.8

/** A certificate that ends sooner deserves one too. */
const SOON_MS = 14 * 24 * 60 * 60 * 1000

/** Fewer failures than these in two minutes are nothing to speak of. */
const FEW = 3

const firewallChains = ['input', 'forward'] as const

/** The worst first. `notReady` is why the process takes no sessions, or null. */
export function attentionOf(status: StatusView, notReady: string | null): readonly Attention[] {
  const firewall = ofFirewall(status)
  const all = [
    ...ofProcess(status, notReady),
    ...ofInterception(status),
    ...ofConntrack(status),
    ...firewall,
    ...status.listeners.flatMap((listener) => ofListener(listener, firewall.length > 0)),
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
        `${formatPlural(defects, 'session')} ended by a defect of this proxy; please report the lines of event session.fail in the log: ${tracker}`,
      ),
    )
  }
  return found
}

/** `isExplained`: why data connections fail has been said. */
function ofListener(view: ListenerView, isExplained: boolean): Attention[] {
  const { listener, up, sessions_active: active, sessions_limit: limit } = view
  if (!up) return [bad(`Listener ${listener} is not up.`)]
  return [
    ...ofDrain(view),
    ...ofSessions(listener, active, limit),
    ...ofServers(view),
    ...ofGreetings(view),
    ...ofCertificates(view),
    ...(isExplained ? [] : ofData(view)),
  ]
}

function ofDrain({ listener, drained, sessions_active: active }: ListenerView): Attention[] {
  if (!drained) return []
  return [
    warn(
      `An operator drains listener ${listener}: new clients get 421, ${formatPlural(active, 'session')} left. ftp-alg resume ends that.`,
    ),
  ]
}

function ofSessions(listener: string, active: number, limit: number): Attention[] {
  const use = `${formatCount(active)} of ${formatCount(limit)} sessions`
  if (active >= limit)
    return [bad(`Listener ${listener} is full (${use}): new clients are sent away with 421.`)]
  return active >= NEARLY_FULL * limit ? [warn(`Listener ${listener} is nearly full: ${use}.`)] : []
}

/** What keeps a listener that is up from serving anybody, in a word; null when nothing does. */
export function troubleOf(view: ListenerView): 'no server' | 'no data' | null {
  if (ofServers(view).length > 0) return 'no server'
  return ofData(view).some(({ level }) => level === 'bad') ? 'no data' : null
}

/** One host that is gone is not a gateway's trouble; a listener for one server has no other. */
function ofServers({ listener, intercepts, lately }: ListenerView): Attention[] {
  const { succeeded, failed, failing, why } = lately.upstream
  if (failed < FEW || failed <= succeeded || (intercepts && failing < FEW)) return []
  return [
    bad(
      `${intercepts ? 'No servers' : 'The server'} behind listener ${listener} ${intercepts ? 'can' : 'cannot'} be reached: ${shareOf(failed, succeeded)} connections failed in the last two minutes, the last to ${why}.`,
    ),
  ]
}

/** To a server all sessions come from one address. */
function ofGreetings({ listener, intercepts, lately }: ListenerView): Attention[] {
  const { failed, failing, why } = lately.sent_away
  if (failed < FEW || (intercepts && failing < FEW)) return []
  return [
    warn(
      `${formatPlural(failed, 'session')} of listener ${listener} got no further than the server’s greeting in the last two minutes, the last at ${why} Servers limit sessions from one address, and to them all of ours come from one.`,
    ),
  ]
}

function ofCertificates({
  listener,
  certificates,
  certificates_problem: problem,
}: ListenerView): Attention[] {
  const found: Attention[] = []
  for (const { side, subject, expires_at: end, expires_in_ms: leftMs } of certificates) {
    const whose = `The certificate ${subject} that listener ${listener} shows to ${side === 'client' ? 'clients' : 'its server'}`
    if (leftMs <= 0) found.push(bad(`${whose} has ended (${formatTime(end)}): whoever checks it leaves.`))
    else if (leftMs < SOON_MS)
      found.push(warn(`${whose} ends in ${formatDuration(leftMs)} (${formatTime(end)}).`))
  }
  if (problem !== null) {
    const text = `Changed certificates of listener ${listener} are refused, and the old ones are in use: ${problem}`
    found.push(bad(text.endsWith('.') ? text : `${text}.`))
  }
  return found
}

/** Several clients have not all done something wrong. */
function ofData({ listener, lately }: ListenerView): Attention[] {
  const { succeeded, failed, failing, why } = lately.data
  if (failed < FEW || failed <= succeeded) return []
  const say = failing > 1 ? bad : warn
  return [
    say(
      `Data connections of listener ${listener} fail: ${shareOf(failed, succeeded)} in the last two minutes, of ${formatPlural(failing, 'client')}; the last: ${why}.`,
    ),
  ]
}

function shareOf(failed: number, succeeded: number): string {
  return `${formatCount(failed)} of ${formatCount(failed + succeeded)}`
}

function ofConntrack({ conntrack }: StatusView): Attention[] {
  if (conntrack === null || conntrack.entries < NEARLY_FULL * conntrack.limit) return []
  const { entries, limit } = conntrack
  const use = `${formatCount(entries)} of ${formatCount(limit)} connections`
  return entries >= 0.99 * limit
    ? [bad(`The kernel’s connection tracking is full (${use}): new connections are dropped.`)]
    : [warn(`The kernel’s connection tracking is nearly full: ${use}. Raise net.netfilter.nf_conntrack_max.`)]
}

function ofInterception({ interception_missing: missing }: StatusView): Attention[] {
  if (missing === null) return []
  return [bad(`Nothing is intercepted: ${missing}. ftp-alg firewall --apply puts the rules there.`)]
}

function ofFirewall({ swallowed_lately: swallowed }: StatusView): Attention[] {
  return firewallChains
    .filter((chain) => swallowed[chain] > 0)
    .map((chain) =>
      bad(
        `The ${chain} chain of this machine’s firewall drops data connections that a pinhole let in (${formatCount(swallowed[chain])} in the last two minutes): accept the ct mark there. ftp-alg firewall prints the line.`,
      ),
    )
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
