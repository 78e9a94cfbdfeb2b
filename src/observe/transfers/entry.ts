import type { Mode } from '../../engine/contract.ts'
import type { DataPath } from '../../vocabulary.ts'
import type { TransferResult } from '../metrics/labels.ts'

/** One file that went up or down, or did not. Text from peers has passed `safeText`. */
export interface TransferEntry {
  readonly endedAt: Date
  readonly session_id: string
  readonly listener: string
  readonly client_ip: string
  readonly server_ip: string | null
  readonly server_port: number | null
  /** Null before login. */
  readonly user: string | null
  /** RETR, STOR, STOU or APPE. */
  readonly command: string
  /** As the client named it; empty for a STOU that names none. */
  readonly file: string
  readonly direction: 'upload' | 'download'
  /** The last TYPE that the client asked for. */
  readonly type: TransferType
  /** Null when no data connection came about. */
  readonly mode: Mode | null
  readonly path: DataPath | null
  readonly bytes: number
  readonly durationMs: number | null
  readonly result: TransferResult
  readonly reply_code: number | null
}

export type TransferType = 'ascii' | 'binary'

/** The commands whose transfers are files; listings are in the main log only. */
const fileCommands = new Set(['RETR', 'STOR', 'STOU', 'APPE'])

export function isFileCommand(verb: string): boolean {
  return fileCommands.has(verb)
}

/** `'TYPE I'` and `'TYPE L 8'` give `'binary'`, `'TYPE A N'` gives `'ascii'`, other lines null. */
export function typeAskedBy(line: string): TransferType | null {
  const [, type] = /^TYPE +([AIL])(?: |$)/i.exec(line) ?? []
  if (type === undefined) return null
  return type.toUpperCase() === 'A' ? 'ascii' : 'binary'
}
