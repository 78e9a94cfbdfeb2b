import type { AuditRecord, Mode, Side } from '../../engine/contract.ts'
import type { Endpoint } from '../../ftp/endpoints.ts'
import type { BackendName } from '../../vocabulary.ts'
import { safeText } from '../log/text.ts'
import { errorFields, type Log, type LogFields } from '../log.ts'
import type { ListenerMetrics } from '../metrics.ts'
import type { SessionObserver } from '../observer.ts'
import type { TransferType } from '../transfers/entry.ts'
import type { TransferLog } from '../transfers/transfer-log.ts'
import type { RefusalRing } from '../view/refusals.ts'
import { recordAudit } from './audit.ts'
import { type DataChannel, finishTransfer } from './data-channels.ts'

/** What all sessions of the process share. */
export interface SessionSurroundings {
  readonly log: Log
  readonly refusals: RefusalRing
  readonly transferLog: TransferLog
  /** Every session that is open, oldest first. */
  readonly live: Set<SessionRecorder>
}

/** A pinhole that waits for its peer. */
export interface OpenedPinhole {
  readonly pinhole: number
  readonly from: Side
  readonly expect: string
  readonly announce: Endpoint
  readonly target: Endpoint | null
  readonly backend: BackendName
  readonly openedAt: number
}

/** Data channels of which not everything is known yet; beyond that the oldest is logged as it is. */
const MAX_UNFINISHED_CHANNELS = 8

type Reported<Method extends keyof SessionObserver> = SessionObserver[Method] extends (
  argument: infer Argument,
) => void
  ? Argument
  : never

/**
 * Feeds one session's reports to the log, to the counters of its listener, and to the live view.
 *
 * A class and not closures: 10,000 idle sessions each keep these fields and nothing else (under 300 bytes).
 */
export class SessionRecorder implements SessionObserver {
  readonly id: string
  readonly metrics: ListenerMetrics
  readonly client: Endpoint
  /** Milliseconds of `performance.now()`, whole. */
  readonly openedAt: number
  server: Endpoint | null = null
  user: string | null = null
  isLoggedIn = false
  mode: Mode | null = null
  lastCommand: string | null = null
  uploadBytes = 0
  downloadBytes = 0
  transfers = 0
  refusals = 0
  /** The last TYPE that the client asked for. */
  transferType: TransferType = 'ascii'
  /** The transfer command whose outcome is not known yet; `path` in latin1, as the client sent it. */
  asked: { readonly verb: string; readonly path: string } | null = null
  /** Null while there are none, which is nearly always. */
  pinholes: OpenedPinhole[] | null = null
  channels: DataChannel[] | null = null
  readonly #around: SessionSurroundings

  constructor(id: string, client: Endpoint, metrics: ListenerMetrics, around: SessionSurroundings) {
    this.id = id
    this.client = client
    this.metrics = metrics
    this.openedAt = Math.round(performance.now())
    this.#around = around
    around.live.add(this)
    metrics.session.opened.value += 1
    metrics.session.active.value += 1
    if (this.log.wants('session.open')) {
      this.log.write('session.open', this.fields({ client_port: client.port }))
    }
  }

  get log(): Log {
    return this.#around.log
  }

  get ring(): RefusalRing {
    return this.#around.refusals
  }

  get transferLog(): TransferLog {
    return this.#around.transferLog
  }

  /** What every line of this session carries, and more. */
  fields(more: LogFields): LogFields {
    return { session_id: this.id, listener: this.metrics.name, client_ip: this.client.address, ...more }
  }

  upstreamConnected({ server, durationMs }: Reported<'upstreamConnected'>): void {
    this.server = server
    this.metrics.session.connectDuration.observe(durationMs / 1000)
    if (!this.log.wants('upstream.connect')) return
    const fields = { server_ip: server.address, server_port: server.port, duration_ms: rounded(durationMs) }
    this.log.write('upstream.connect', this.fields(fields))
  }

  upstreamFailed({ server, reason, detail }: Reported<'upstreamFailed'>): void {
    this.metrics.session.connectFailed[reason].value += 1
    const fields = { server: safeText(server), reason, detail: safeText(detail) }
    this.log.write('upstream.fail', this.fields(fields), reason)
  }

  controlBytes({ from, count }: { readonly from: Side; readonly count: number }): void {
    this.metrics.control.bytesFrom[from].value += count
  }

  record(record: AuditRecord): void {
    recordAudit(this, record)
  }

  pinholeOpened(opened: Reported<'pinholeOpened'>): void {
    const { pinhole, from, expect, announce, target, backend, durationMs } = opened
    const { metrics } = this
    metrics.pinhole.opened[backend].value += 1
    metrics.pinhole.active[backend].value += 1
    metrics.pinhole.openDuration[backend].observe(durationMs / 1000)
    this.pinholes ??= []
    this.pinholes.push({ pinhole, from, expect, announce, target, backend, openedAt: performance.now() })
    if (!this.log.wants('pinhole.open')) return
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
    this.log.write('pinhole.open', this.fields(fields))
  }

  pinholeFailed({ pinhole, reason, detail }: Reported<'pinholeFailed'>): void {
    this.metrics.pinhole.failures[reason].value += 1
    const fields = this.fields({ pinhole, reason, detail: safeText(detail) })
    this.log.write(reason === 'backend' ? 'pinhole.fail' : 'pinhole.refuse', fields, reason)
  }

  pinholeClosed({ pinhole, backend, reason, ageMs }: Reported<'pinholeClosed'>): void {
    const { metrics } = this
    metrics.pinhole.closed[backend][reason].value += 1
    if (reason === 'used') metrics.pinhole.wait[backend].observe(ageMs / 1000)
    const rest = this.pinholes?.filter((open) => open.pinhole !== pinhole) ?? []
    if (rest.length < (this.pinholes?.length ?? 0)) metrics.pinhole.active[backend].value -= 1
    this.pinholes = rest.length === 0 ? null : rest
    if (!this.log.wants('pinhole.close')) return
    this.log.write('pinhole.close', this.fields({ pinhole, backend, reason, age_ms: rounded(ageMs) }))
  }

  dataOpened({ channel, mode, path, setupMs }: Reported<'dataOpened'>): void {
    const known = this.findChannel(channel) ?? this.addChannel(channel)
    if (known.opened !== null) return
    known.opened = { mode, path }
    this.mode = mode
    this.metrics.data.active[mode][path].value += 1
    this.metrics.data.setup[mode].observe(setupMs / 1000)
    if (!this.log.wants('data.open')) return
    this.log.write('data.open', this.fields({ channel, mode, path, duration_ms: rounded(setupMs) }))
  }

  dataFailed({ channel, mode, side, reason }: Reported<'dataFailed'>): void {
    this.metrics.data.connections[mode].failed.value += 1
    this.metrics.data.failures[mode][side][reason].value += 1
    this.log.write('data.fail', this.fields({ channel, mode, side, reason }), `${side} ${reason}`)
  }

  dataBytes({ direction, path, count }: Reported<'dataBytes'>): void {
    this.metrics.data.bytes[direction][path].value += count
    if (direction === 'upload') this.uploadBytes += count
    else this.downloadBytes += count
  }

  dataEnded(ended: Reported<'dataEnded'>): void {
    this.metrics.data.connections[ended.mode][ended.result].value += 1
    const known = this.findChannel(ended.channel)
    if (known === null || known.ended !== null) return
    if (known.opened !== null) this.metrics.data.active[known.opened.mode][known.opened.path].value -= 1
    known.ended = ended
    if (known.transfer !== null) this.finishChannel(known)
  }

  closed({ reason, durationMs }: Reported<'closed'>): void {
    const { metrics } = this
    if (!this.#around.live.delete(this)) return
    metrics.session.active.value -= 1
    metrics.session.closed[reason].value += 1
    metrics.session.duration.observe(durationMs / 1000)
    for (const { backend } of this.pinholes ?? []) metrics.pinhole.active[backend].value -= 1
    this.pinholes = null
    while (this.channels !== null) this.#finishOldest()
    if (!this.log.wants('session.close')) return
    const fields = {
      server_ip: this.server?.address,
      server_port: this.server?.port,
      user: this.user ?? undefined,
      reason,
      duration_ms: rounded(durationMs),
      upload_bytes: this.uploadBytes,
      download_bytes: this.downloadBytes,
      transfers: this.transfers,
      refusals: this.refusals,
    }
    this.log.write('session.close', this.fields(fields))
  }

  failed(error: unknown): void {
    this.metrics.session.defects.value += 1
    const kind = error instanceof Error ? error.name : typeof error
    this.log.write('session.fail', this.fields(errorFields(error)), kind)
  }

  findChannel(channel: number): DataChannel | null {
    return this.channels?.find((known) => known.channel === channel) ?? null
  }

  addChannel(channel: number): DataChannel {
    const added: DataChannel = { channel, opened: null, ended: null, transfer: null }
    this.channels ??= []
    this.channels.push(added)
    if (this.channels.length > MAX_UNFINISHED_CHANNELS) this.#finishOldest()
    return added
  }

  /** The channel's transfer is over, or nothing more will be heard of it. */
  finishChannel(finished: DataChannel): void {
    const rest = this.channels?.filter((other) => other !== finished) ?? []
    this.channels = rest.length === 0 ? null : rest
    const { opened, ended, transfer } = finished
    if (opened !== null && ended === null) this.metrics.data.active[opened.mode][opened.path].value -= 1
    finishTransfer(this, transfer, finished)
  }

  #finishOldest(): void {
    const oldest = this.channels?.[0]
    if (oldest === undefined) this.channels = null
    else this.finishChannel(oldest)
  }
}

/** Milliseconds to the microsecond. */
function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000
}
