import { getSystemErrorMap } from 'node:util'
import type { Log } from '../log.ts'
import type { Cell } from '../metrics/family.ts'
import type { TransferLogView } from '../view/shapes.ts'
import type { TransferEntry } from './entry.ts'
import { type TransferFormat, transferFormats } from './formats.ts'
import { type LogFile, openLogFile } from './log-file.ts'

export interface TransferLogSettings {
  readonly file: string
  readonly format: TransferFormat
}

/** One line for each file that was transferred, in a file of its own. Whatever happens to it, FTP goes on. */
export interface TransferLog {
  /** False while none is kept: entries need not be made. */
  readonly isOn: boolean
  write(entry: TransferEntry): void
  /** Goes on with this file, which is reopened even if it is the same; null: keeps no transfer log. */
  use(settings: TransferLogSettings | null): void
  /** Goes on with the file that stands at the path now; for whoever rotates logs. */
  reopen(): void
  view(): TransferLogView | null
  /** Writes what waits; resolves within a second. */
  close(): Promise<void>
}

export interface TransferLogSurroundings {
  readonly log: Pick<Log, 'write'>
  readonly cells: { readonly written: Cell; readonly lost: Cell; readonly failing: Cell }
}

interface OpenLog {
  settings: TransferLogSettings
  readonly file: LogFile
  /** Why it cannot be written now. */
  problem: string | null
}

const CLOSE_MS = 1000

export function createTransferLog({ log, cells }: TransferLogSurroundings): TransferLog {
  let current: OpenLog | null = null
  let closing = Promise.resolve()

  const setProblem = (at: OpenLog, text: string | null) => {
    at.problem = text
    // A file that is being closed says nothing about the one in use.
    if (at === current) cells.failing.value = text === null ? 0 : 1
  }
  const openAt = (settings: TransferLogSettings): OpenLog => {
    const path = settings.file
    let lostBefore = 0
    const opened: OpenLog = {
      settings,
      problem: null,
      file: openLogFile({
        path,
        opened: () => log.write('transfers.open', { log_file: path, format: opened.settings.format }),
        written: (lines) => {
          cells.written.value += lines
        },
        lost: (lines) => {
          cells.lost.value += lines
        },
        failed: (error) => {
          const text = describe(error)
          // One line a problem, not one a second.
          if (text === opened.problem) return
          if (opened.problem === null) lostBefore = cells.lost.value
          setProblem(opened, text)
          log.write('transfers.fail', { log_file: path, operation: error.syscall, reason: text })
        },
        working: () => {
          setProblem(opened, null)
          log.write('transfers.recover', { log_file: path, count: cells.lost.value - lostBefore })
        },
      }),
    }
    return opened
  }
  const closeCurrent = () => {
    const closed = current?.file.close(CLOSE_MS) ?? Promise.resolve()
    closing = Promise.all([closing, closed]).then(() => undefined)
    current = null
    cells.failing.value = 0
  }
  return {
    get isOn() {
      return current !== null
    },
    write: (entry) => current?.file.write(transferFormats[current.settings.format](entry)),
    use: (settings) => {
      if (settings !== null && settings.file === current?.settings.file) {
        current.settings = settings
        current.file.reopen()
        return
      }
      closeCurrent()
      if (settings !== null) current = openAt(settings)
    },
    reopen: () => current?.file.reopen(),
    view: () => {
      if (current === null) return null
      const { settings, problem } = current
      return { ...settings, problem, lines_written: cells.written.value, lines_lost: cells.lost.value }
    },
    close: () => {
      closeCurrent()
      return closing
    },
  }
}

/** `'no space left on device (ENOSPC)'`. */
function describe(error: NodeJS.ErrnoException): string {
  const [name, text] = getSystemErrorMap().get(error.errno ?? 0) ?? [error.code, error.message]
  return name === undefined ? text : `${text} (${name})`
}
