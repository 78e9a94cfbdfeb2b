import type { AuditRecord, Side } from '../../engine/contract.ts'
import type { EventName } from '../log/events.ts'
import { safeText } from '../log/text.ts'
import { defectFields, type Log, type LogFields } from '../log.ts'
import { legFailures, upstreamFailures } from '../metrics/labels.ts'
import type { ListenerMetrics } from '../metrics.ts'
import type { Observer, SessionObserver } from '../observer.ts'
import { recordAudit } from './audit.ts'
import { LiveSession, type SessionSurroundings } from './state.ts'
import { recordTls } from './tls.ts'
import { TransferJournal } from './transfer-journal.ts'

type Opened = Parameters<Observer['sessionOpened']>[0]

type Reported<Method extends keyof SessionObserver> = SessionObserver[Method] extends (
  argument: infer Argument,
) => void
  ? Argument
  : never

/** Feeds one session's reports to the log, to the counters of its listener, and to the live view. */
export class SessionRecorder implements SessionObserver {
  readonly #state: LiveSession
  readonly #journal: TransferJournal

  constructor(
    id: string,
    { client, introduction }: Pick<Required<Opened>, 'client' | 'introduction'>,
    metrics: ListenerMetrics,
    around: SessionSurroundings,
  ) {
    this.#state = new LiveSession(id, client, metrics, around)
    this.#journal = new TransferJournal(this.#state)
    around.live.add(this.#state)
    metrics.session.opened.value += 1
    metrics.session.active.value += 1
    if (around.log.wants('session.open')) {
      const said =
        introduction === null ? {} : { server_name: introduction.serverName, protocol: introduction.tls }
      this.#write('session.open', { client_port: client.port, ...said })
    }
  }

  get id(): string {
    return this.#state.id
  }

  get listener(): string {
    return this.#state.metrics.name
  }

  routed({ route }: Reported<'routed'>): void {
    this.#state.route = route
  }

  upstreamConnected({ server, durationMs }: Reported<'upstreamConnected'>): void {
    this.#state.server = server
    this.#metrics().recent.upstream.succeeded()
    this.#metrics().session.connectDuration.observe(durationMs / 1000)
    if (!this.#log().wants('upstream.connect')) return
    const fields = {
      server_ip: server.address,
      server_port: server.port,
      route: this.#state.route,
      duration_ms: rounded(durationMs),
    }
    this.#write('upstream.connect', fields)
  }

  upstreamFailed({ server, reason, detail }: Reported<'upstreamFailed'>): void {
    this.#metrics().session.connectFailed[reason].value += 1
    const who = safeText(server)
    this.#metrics().recent.upstream.failed({ who, why: `${who}: ${upstreamFailures[reason]}` })
    const fields = { server: who, route: this.#state.route, reason, detail: safeText(detail) }
    this.#write('upstream.fail', fields, reason)
  }

  translationForgotten({ isRestored }: Reported<'translationForgotten'>): void {
    this.#metrics().session.forgotten[isRestored ? 'restored' : 'lost'].value += 1
    this.#write(isRestored ? 'translation.restore' : 'translation.lose', {}, 'translation')
  }

  controlBytes({ from, count }: { readonly from: Side; readonly count: number }): void {
    this.#metrics().control.bytesFrom[from].value += count
  }

  record(record: AuditRecord): void {
    recordAudit(this.#state, this.#journal, record)
  }

  pinholeOpened(opened: Reported<'pinholeOpened'>): void {
    const { pinhole, from, expect, announce, target, backend, durationMs } = opened
    const state = this.#state
    const { metrics } = state
    metrics.pinhole.opened[backend].value += 1
    metrics.pinhole.active[backend].value += 1
    metrics.pinhole.openDuration[backend].observe(durationMs / 1000)
    state.pinholes ??= []
    state.pinholes.push({ pinhole, from, expect, announce, target, backend, openedAt: performance.now() })
    if (!this.#log().wants('pinhole.open')) return
    const fields = {
      pinhole,
      from,
      expected_ip: expect,
      announced_ip: announce.address,
      announced_port: announce.port,
      target_ip: target?.address,
      target_port: target?.port,
      backend,
      duration_ms: rounded(durationMs),
    }
    this.#write('pinhole.open', fields)
  }

  pinholeFailed({ pinhole, reason, detail }: Reported<'pinholeFailed'>): void {
    this.#metrics().pinhole.failures[reason].value += 1
    const event = reason === 'backend' ? 'pinhole.fail' : 'pinhole.refuse'
    this.#write(event, { pinhole, reason, detail: safeText(detail) }, reason)
  }

  pinholeClosed({ pinhole, backend, reason, endedBy, ageMs }: Reported<'pinholeClosed'>): void {
    const state = this.#state
    const { metrics } = state
    metrics.pinhole.closed[backend][reason].value += 1
    if (reason === 'used') metrics.pinhole.wait[backend].observe(ageMs / 1000)
    if (reason === 'expired' || reason === 'abandoned') this.#inVain(pinhole, ageMs)
    const rest = state.pinholes?.filter((open) => open.pinhole !== pinhole) ?? []
    if (rest.length < (state.pinholes?.length ?? 0)) metrics.pinhole.active[backend].value -= 1
    state.pinholes = rest.length === 0 ? null : rest
    if (!this.#log().wants('pinhole.close')) return
    this.#write('pinhole.close', { pinhole, backend, reason, ended_by: endedBy, age_ms: rounded(ageMs) })
  }

  dataOpened({ channel, mode, path, setupMs }: Reported<'dataOpened'>): void {
    if (!this.#journal.opened({ channel, mode, path })) return
    this.#state.mode = mode
    this.#metrics().recent.data.succeeded()
    this.#metrics().data.setup[mode].observe(setupMs / 1000)
    if (!this.#log().wants('data.open')) return
    this.#write('data.open', { channel, mode, path, duration_ms: rounded(setupMs) })
  }

  dataFailed({ channel, mode, side, reason }: Reported<'dataFailed'>): void {
    this.#metrics().data.connections[mode].failed.value += 1
    this.#metrics().data.failures[mode][side][reason].value += 1
    const peer = side === 'client' ? `client ${this.#state.client.address}` : 'the server'
    this.#dataFailed(`${peer}: ${legFailures[reason]}`)
    this.#write('data.fail', { channel, mode, side, reason }, `${side} ${reason}`)
  }

  foreignPeer({ side }: Reported<'foreignPeer'>): void {
    this.#metrics().data.foreign[side].value += 1
  }

  dataBytes({ direction, path, count }: Reported<'dataBytes'>): void {
    this.#metrics().data.bytes[direction][path].value += count
    if (direction === 'upload') this.#state.uploadBytes += count
    else this.#state.downloadBytes += count
  }

  dataEnded(ended: Reported<'dataEnded'>): void {
    this.#metrics().data.connections[ended.mode][ended.result].value += 1
    this.#journal.ended(ended)
  }

  tls(report: Reported<'tls'>): void {
    recordTls(this.#state, report)
  }

  closed({ reason, durationMs }: Reported<'closed'>): void {
    const state = this.#state
    const { metrics } = state
    if (!state.around.live.delete(state)) return
    metrics.session.active.value -= 1
    metrics.session.closed[reason].value += 1
    metrics.session.duration.observe(durationMs / 1000)
    for (const { backend } of state.pinholes ?? []) metrics.pinhole.active[backend].value -= 1
    state.pinholes = null
    this.#journal.close()
    if (!this.#log().wants('session.close')) return
    const fields = {
      server_ip: state.server?.address,
      server_port: state.server?.port,
      route: state.route,
      user: state.user ?? undefined,
      reason,
      duration_ms: rounded(durationMs),
      upload_bytes: state.uploadBytes,
      download_bytes: state.downloadBytes,
      transfers: state.transfers,
      refusals: state.refusals,
    }
    this.#write('session.close', fields)
  }

  failed(error: unknown): void {
    this.#metrics().session.defects.value += 1
    const kind = error instanceof Error ? error.name : typeof error
    this.#write('session.fail', defectFields(error), kind)
  }

  #inVain(pinhole: number, ageMs: number): void {
    const hole = this.#state.pinholes?.find((open) => open.pinhole === pinhole)
    if (hole === undefined) return
    const { expect, announce } = hole
    const seconds = Math.round(ageMs / 1000)
    this.#dataFailed(
      `${expect} did not come to ${announce.address} port ${announce.port} within ${seconds} s`,
    )
  }

  #dataFailed(why: string): void {
    this.#metrics().recent.data.failed({ who: this.#state.client.address, why })
  }

  #metrics(): ListenerMetrics {
    return this.#state.metrics
  }

  #log(): Log {
    return this.#state.around.log
  }

  #write(event: EventName, fields: LogFields, kind?: string): void {
    this.#log().write(event, this.#state.fields(fields), kind)
  }
}

/** Milliseconds to the microsecond. */
function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000
}
