// A session's data channels, and the transfer line that is joined from a channel's end and the server's final
// reply, whichever comes first. With the kernel's path even the opening may be noticed after the reply.

import type { AuditRecord, Mode } from '../../engine/contract.ts'
import { verbs } from '../../ftp/commands.ts'
import type { DataPath } from '../../vocabulary.ts'
import { safeText } from '../log/text.ts'
import type { TransferResult } from '../metrics/labels.ts'
import { isFileCommand } from '../transfers/entry.ts'
import type { SessionRecorder } from './recorder.ts'

/** A whole path, unlike in the log: characters. */
const MAX_PATH = 4096

export type TransferRecord = Extract<AuditRecord, { readonly type: 'transfer' }>

/** One data channel until everything about it is known: opened, ended, and what the server said. */
export interface DataChannel {
  readonly channel: number
  opened: { readonly mode: Mode; readonly path: DataPath } | null
  ended: {
    readonly uploadBytes: number
    readonly downloadBytes: number
    readonly durationMs: number
    readonly result: 'ok' | 'reset'
  } | null
  /** The server's final reply to the command that used this channel. */
  transfer: TransferRecord | null
}

/** Joins the server's reply to the data channel it is about; the line is written when both are known. */
export function transferReplied(session: SessionRecorder, transfer: TransferRecord): void {
  session.asked = null
  const known = transfer.channel === null ? null : session.findChannel(transfer.channel)
  if (known === null && (transfer.channel === null || transfer.code >= 400)) {
    // No data channel, and after an error none is to come.
    finishTransfer(session, transfer, null)
    return
  }
  const channel = known ?? session.addChannel(transfer.channel ?? 0)
  channel.transfer = transfer
  if (channel.ended !== null) session.finishChannel(channel)
}

/** Counts and logs one transfer; the server's reply or the data channel may be missing, not both. */
export function finishTransfer(
  session: SessionRecorder,
  transfer: TransferRecord | null,
  data: DataChannel | null,
): void {
  const { metrics } = session
  const ended = data?.ended ?? null
  // Without a reply, the session ended in the middle of what the client had asked for last.
  const asked = transfer ?? session.asked
  if (transfer === null) session.asked = null
  const direction = directionOf(asked?.verb, ended)
  const result = resultOf(transfer, ended)
  const bytes = (direction === 'upload' ? ended?.uploadBytes : ended?.downloadBytes) ?? 0
  const durationMs = ended === null ? null : Math.round(ended.durationMs * 1000) / 1000
  session.transfers += 1
  metrics.data.transfers[result].of(asked?.verb ?? '').value += 1
  if (ended !== null) metrics.data.duration[direction].observe(ended.durationMs / 1000)
  if (session.transferLog.isOn && asked !== null && isFileCommand(asked.verb)) {
    session.transferLog.write({
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
      type: session.transferType,
      mode: data?.opened?.mode ?? null,
      path: data?.opened?.path ?? null,
      bytes,
      durationMs,
      result,
      reply_code: transfer?.code ?? null,
    })
  }
  if (!session.log.wants('transfer')) return
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
    reply_code: transfer?.code,
  }
  session.log.write('transfer', session.fields(fields))
}

function directionOf(verb: string | undefined, ended: DataChannel['ended']): 'upload' | 'download' {
  const known = verb === undefined ? undefined : verbs.get(verb)?.transfer
  if (known !== undefined) return known
  return ended !== null && ended.uploadBytes > ended.downloadBytes ? 'upload' : 'download'
}

function resultOf(transfer: TransferRecord | null, ended: DataChannel['ended']): TransferResult {
  if (ended?.result === 'reset') return 'reset'
  return transfer !== null && transfer.code >= 200 && transfer.code < 300 ? 'ok' : 'failed'
}
