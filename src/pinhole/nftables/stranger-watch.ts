import { pinholeTables, type StrangersRule } from '../../firewall/pinhole-table.ts'
import { type AttemptWatch, watchAttempts } from '../../kernel/attempt-watch.ts'
import type { Libc } from '../../kernel/libc.ts'
import type { Nft } from '../../kernel/nft.ts'
import type { BackendObserver } from '../backend.ts'
import type { Strangers } from './strangers.ts'

export interface StrangerWatchOptions {
  readonly libc: Libc
  readonly nft: Nft
  readonly mark: number
  readonly table: string
  /** Null: strangers are not reported. */
  readonly rule: StrangersRule | null
  readonly strangers: Pick<Strangers, 'seen'>
  readonly log: BackendObserver['log']
}

/** What the tables must say for `strangers` to hear, and the ear itself. */
export interface StrangerWatch extends AttemptWatch {
  readonly rule: StrangersRule | null
}

/**
 * Listens for strangers. A kernel without packet logging, or a group that another program listens to, is no reason not to
 * start: that is logged once, and strangers are not reported.
 */
export function watchStrangers(options: StrangerWatchOptions): StrangerWatch {
  const { libc, nft, mark, table, rule, strangers } = options
  if (rule === null) return deaf
  let watch: AttemptWatch | null = null
  try {
    watch = watchAttempts(libc, rule, strangers.seen)
    const refusal = nft.refusal(pinholeTables(mark, { table, strangers: rule }))
    if (refusal === null) return { rule, close: watch.close }
    throw new Error(refusal)
  } catch (error) {
    watch?.close()
    options.log('strangers.ignore', {
      log_group: rule.group,
      error,
    })
    return deaf
  }
}

const deaf: StrangerWatch = { rule: null, close: () => undefined }
