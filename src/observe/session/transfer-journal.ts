// A session's data channels, and the transfer line that is joined from a channel's end and the server's final
// reply, whichever comes first. With the kernel's path even the opening may be noticed after the reply.

import type { AuditRecord, Mode } from '../../engine/contract.ts'
import { parseCommand, verbs } from '../../ftp/commands.ts'
import type { DataPath } from '../../vocabulary.ts'
import { safeText } from '../log/text.ts'
import type { TransferResult } from '../metrics/labels.ts'
import { isFileCommand, type TransferType, typeAskedBy } from '../transfers/entry.ts'
import type { LiveSession } from './state.ts'

type Audit<Type extends AuditRecord['type']> = Extract<AuditRecord, { readonly type: Type }>

interface ChannelOpening {
  readonly channel: number
  readonly mode: Mode
  readonly path: DataPath
}

interface ChannelEnd {
  readonly channel: number
  readonly uploadBytes: number
  readonly downloadBytes: number
  readonly durationMs: number
  readonly result: 'ok' | 'reset'
}

/** One data channel until everything about it is known: opened, ended, and what the server said. */
interface ChannelEntry {
  readonly channel: number
  opened: ChannelOpening | null
  ended: ChannelEnd | null
  /** The server's final reply to the command that used this channel. */
  reply: Audit<'transfer'> | null
}

/** A whole path, unlike in the log: characters. */
const MAX_PATH = 4096
/** Data channels of which not everything is known yet; beyond that the oldest is logged as it is. */
const MAX_UNFINISHED_CHANNELS = 8

/** Knows which transfer each data channel belongs to, and counts and logs the transfer when it is over. */
export class TransferJournal {
  readonly #session: LiveSession
  /** The last TYPE that the client asked for. */
  #type: TransferType = 'ascii'
  /** The transfer command whose outcome is not known yet; `path` in latin1, as the client sent it. */
  #asked: { readonly verb: string; readonly path: string } | null = null
  /** Null while there are none, which is nearly always. */
  #channels: ChannelEntry[] | null = null

  constructor(session: LiveSession) {
    this.#session = session
  }

  /** The client sent a command. */
  command({ verb, line }: Audit<'command'>): void {
    if (verb === 'TYPE') this.#type = typeAskedBy(line) ?? this.#type
    else if (verb === 'REIN') this.#type = 'ascii'
    else if (isFileCommand(verb)) this.#asked = { verb, path: copyOf(parseCommand(line).argument) }
  }

  /** The proxy answered a command with an error of its own: no transfer comes of it. */
  refused(verb: string): void {
    if (isFileCommand(verb)) this.#asked = null
  }

  /** Joins the server's final reply to the data channel it is about. */
  replied(reply: Audit<'transfer'>): void {
    this.#asked = null
    const known = reply.channel === null ? null : this.#find(reply.channel)
    if (known === null && (reply.channel === null || reply.code >= 400)) {
      // No data channel, and after an error none is to come.
      this.#write(reply, null)
      return
    }
    const entry = known ?? this.#add(reply.channel ?? 0)
    entry.reply = reply
    if (entry.ended !== null) this.#finish(entry)
  }

  /** Both legs are up. False when that was known. */
  opened(opening: ChannelOpening): boolean {
    const entry = this.#find(opening.channel) ?? this.#add(opening.channel)
    if (entry.opened !== null) return false
    entry.opened = opening
    this.#countUp(opening, 1)
    return true
  }

  ended(end: ChannelEnd): void {
    const entry = this.#find(end.channel)
    if (entry === null || entry.ended !== null) return
    if (entry.opened !== null) this.#countUp(entry.opened, -1)
    entry.ended = end
    if (entry.reply !== null) this.#finish(entry)
  }

  /** The session is over: nothing more will be heard of any channel. */
  close(): void {
    for (const entry of this.#channels ?? []) this.#finish(entry)
  }

  #find(channel: number): ChannelEntry | null {
    return this.#channels?.find((entry) => entry.channel === channel) ?? null
  }

  #add(channel: number): ChannelEntry {
    const added: ChannelEntry = { channel, opened: null, ended: null, reply: null }
    this.#channels ??= []
    this.#channels.push(added)
    const [oldest] = this.#channels
    if (oldest !== undefined && this.#channels.length > MAX_UNFINISHED_CHANNELS) this.#finish(oldest)
    return added
  }

  /** The channel's transfer is over, or nothing more will be heard of it. */
  #finish(entry: ChannelEntry): void {
    const rest = this.#channels?.filter((other) => other !== entry) ?? []
    this.#channels = rest.length === 0 ? null : rest
    if (entry.opened !== null && entry.ended === null) this.#countUp(entry.opened, -1)
    if (!this.#isUnused(entry)) this.#write(entry.reply, entry)
  }

  /** Made, and no transfer came of it: the server refused the command (550), or the client asked for nothing. */
  #isUnused({ reply, ended }: ChannelEntry): boolean {
    const isEmpty = ended === null || ended.uploadBytes + ended.downloadBytes === 0
    return reply === null && this.#asked === null && isEmpty
  }

  #countUp({ mode, path }: ChannelOpening, change: 1 | -1): void {
    this.#session.metrics.data.active[mode][path].value += change
    this.#session.channelsUp += change
  }

  /** Counts and logs one transfer; the server's reply or the data channel may be missing, not both. */
  #write(reply: Audit<'transfer'> | null, data: ChannelEntry | null): void {
    const session = this.#session
    const { metrics } = session
    const { log, transferLog } = session.around
    const ended = data?.ended ?? null
    // Without a reply, the session ended in the middle of what the client had asked for last.
    const asked = reply ?? this.#asked
    if (reply === null) this.#asked = null
    const direction = directionOf(asked?.verb, ended)
    const result = resultOf(reply, ended)
    const bytes = (direction === 'upload' ? ended?.uploadBytes : ended?.downloadBytes) ?? 0
    const durationMs = ended === null ? null : Math.round(ended.durationMs * 1000) / 1000
    session.transfers += 1
    metrics.data.transfers[result].of(asked?.verb ?? '').value += 1
    if (ended !== null) metrics.data.duration[direction].observe(ended.durationMs / 1000)
    if (transferLog.isOn && asked !== null && isFileCommand(asked.verb)) {
      transferLog.write({
        endedAt: new Date(),
        session_id: session.id,
        listener: metrics.name,
        client_ip: session.client.address,
        server_ip: session.server?.address ?? null,
        server_port: session.server?.port ?? null,
        user: session.user,
        command: asked.verb,
        file: safeText(asked.path, MAX_PATH),
        direction,
        type: this.#type,
        mode: data?.opened?.mode ?? null,
        path: data?.opened?.path ?? null,
        bytes,
        durationMs,
        result,
        reply_code: reply?.code ?? null,
      })
    }
    if (!log.wants('transfer')) return
    const fields = {
      user: session.user ?? undefined,
      command: asked?.verb,
      file: asked === null || asked.path === '' ? undefined : safeText(asked.path),
      direction,
      mode: data?.opened?.mode,
      path: data?.opened?.path,
      bytes,
      duration_ms: durationMs ?? undefined,
      result,
      reply_code: reply?.code,
    }
    log.write('transfer', session.fields(fields))
  }
}

/** A part of a text keeps the whole chunk alive that it was cut out of; a copy does not. */
function copyOf(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1')
}

function directionOf(verb: string | undefined, ended: ChannelEnd | null): 'upload' | 'download' {
  const known = verb === undefined ? undefined : verbs.get(verb)?.transfer
  if (known !== undefined) return known
  return ended !== null && ended.uploadBytes > ended.downloadBytes ? 'upload' : 'download'
}

function resultOf(reply: Audit<'transfer'> | null, ended: ChannelEnd | null): TransferResult {
  if (ended?.result === 'reset') return 'reset'
  return reply !== null && reply.code >= 200 && reply.code < 300 ? 'ok' : 'failed'
}
