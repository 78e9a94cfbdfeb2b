// Where traces go: to the error stream, or into one file a session.

import { appendFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { AlgError } from '../../errors.ts'
import type { OpenTrace } from './trace.ts'

/** Files that one process writes at most. */
const MAX_FILES = 1000

export interface TraceSettings {
  /** On the error stream, each line behind its session's id. */
  readonly isShown: boolean
  /** In one file a session; null for none. */
  readonly folder: string | null
}

/** Null where nothing is asked for. Errors: as `recordIn`. */
export function openTrace(
  { isShown, folder }: TraceSettings = { isShown: false, folder: null },
): OpenTrace | null {
  const record = folder === null ? null : recordIn(folder)
  if (!isShown) return record
  return (sessionId) => {
    const write = record?.(sessionId)
    return (lines) => {
      process.stderr.write(lines.map((line) => `${sessionId} ${line}\n`).join(''))
      write?.(lines)
    }
  }
}

/**
 * `DIR/SESSION.txt`, readable by this user alone, for the first thousand sessions. A file that cannot be written is not tried
 * again: recording disturbs no session.
 *
 * Errors: `AlgError` RUNTIME_FAILED when the folder cannot be made.
 */
function recordIn(folder: string): OpenTrace {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
  } catch (cause) {
    throw new AlgError(
      'RUNTIME_FAILED',
      `--record ${folder}: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    )
  }
  let files = 0
  return (sessionId) => {
    files += 1
    if (files > MAX_FILES) return null
    let isBroken = false
    return (lines) => {
      if (isBroken) return
      try {
        appendFileSync(join(folder, `${sessionId}.txt`), `${lines.join('\n')}\n`, {
          encoding: 'latin1',
          mode: 0o600,
        })
      } catch {
        isBroken = true
      }
    }
  }
}
