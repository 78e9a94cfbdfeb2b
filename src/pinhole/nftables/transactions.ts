// All the changes of one turn of the event loop go to the kernel in one transaction. Tidying has its own: a session waits for
// a pinhole, but not for that.

import { AlgError } from '../../errors.ts'
import { EEXIST, ENOENT, errorFromErrno } from '../../kernel/libc.ts'
import type { ElementChange, ElementFailure } from '../../kernel/nft-elements.ts'

/** What became of one job. */
export type JobResult = { readonly ok: true } | { readonly ok: false; readonly error: AlgError }

export interface TransactionOptions {
  /** The name of our tables. */
  readonly table: string
  /** Carries out changes, all or none; see `changeElements`. */
  readonly change: (changes: readonly ElementChange[]) => readonly ElementFailure[]
  /**
   * Our tables are gone, as after `nft flush ruleset`. Puts them back, with every element that should be in
   * them; false when it cannot.
   */
  readonly restoreTables: () => boolean
  /** Does it in this turn, when others have had their say too. */
  readonly soon: (task: () => void) => void
}

interface Job {
  readonly done: (result: JobResult) => void
  /** What is still to be carried out. */
  left: readonly ElementChange[]
}

/** Gathers jobs and carries them out together; a job that fails takes no other down with it. */
export class ElementTransactions {
  readonly #options: TransactionOptions
  #jobs: Job[] = []
  #willFlush = false
  #tidying: Job[] = []
  /** `fingerprint`s of what is in `#tidying`. */
  readonly #tidied = new Set<number>()

  constructor(options: TransactionOptions) {
    this.#options = options
  }

  /** Queues changes that belong together; `done` is called once, when everything that is ready now has been looked at. */
  submit(changes: readonly ElementChange[], done: (result: JobResult) => void): void {
    // What is added under a key must not be swept away by what was to go before.
    if (this.#tidied.size > 0 && changes.some(({ key }) => this.#tidied.has(fingerprint(key)))) this.#tidyUp()
    this.#jobs.push({ done, left: changes })
    if (this.#willFlush) return
    this.#willFlush = true
    this.#options.soon(this.#carryOut)
  }

  /** Queues changes that are only tidying: they gather for a moment, so that no pinhole waits for them. */
  submitLater(changes: readonly ElementChange[]): void {
    if (changes.length === 0) return
    if (this.#tidying.length === 0) setTimeout(() => this.flush(), TIDY_MS)
    this.#tidying.push({ done: () => undefined, left: changes })
    for (const { key } of changes) this.#tidied.add(fingerprint(key))
  }

  /** Carries out everything queued, now. */
  flush(): void {
    this.#tidyUp()
    this.#carryOut()
  }

  #tidyUp(): void {
    if (this.#tidying.length === 0) return
    this.#jobs.push(...this.#tidying)
    this.#tidying = []
    this.#tidied.clear()
  }

  readonly #carryOut = (): void => {
    this.#willFlush = false
    const jobs = this.#jobs
    this.#jobs = []
    for (let at = 0; at < jobs.length; ) {
      let end = at
      let size = 0
      while (end < jobs.length && size < CHANGES_MAX) {
        size += jobs[end]?.left.length ?? 0
        end += 1
      }
      this.#commit(end - at === jobs.length ? jobs : jobs.slice(at, end))
      at = end
    }
  }

  /** One transaction; whatever made it fail is taken out and the rest tried again. */
  #commit(jobs: readonly Job[], mayRestore = true): void {
    let rest = jobs
    let canRestore = mayRestore
    while (rest.length > 0) {
      let failures: readonly ElementFailure[]
      try {
        const changes = changesOf(rest)
        failures = changes.length === 0 ? [] : this.#options.change(changes)
      } catch (error) {
        for (const job of rest) job.done({ ok: false, error: asPinholeError(error) })
        return
      }
      if (failures.length === 0) {
        for (const { done } of rest) done({ ok: true })
        return
      }
      if (canRestore && tablesAreGone(rest, failures, this.#options.table)) {
        canRestore = false
        if (this.#options.restoreTables()) continue
      }
      rest = withoutFailures(rest, failures)
    }
  }
}

/** How long tidying gathers. */
const TIDY_MS = 20

/** Below what one message to the kernel holds. */
const CHANGES_MAX = 400

function changesOf(jobs: readonly Job[]): readonly ElementChange[] {
  const [only] = jobs
  return only !== undefined && jobs.length === 1 ? only.left : jobs.flatMap(({ left }) => left)
}

/** FNV-1a: the same for the same key. Two keys with one fingerprint cost no more than a longer transaction. */
function fingerprint(key: Uint8Array): number {
  let hash = 0x811c9dc5
  for (const byte of key) hash = Math.imul(hash ^ byte, 0x01000193)
  return hash
}

/** Adding an element fails with ENOENT only for want of its set; a set that is not ours is not ours to restore. */
function tablesAreGone(jobs: readonly Job[], failures: readonly ElementFailure[], table: string): boolean {
  const changes = changesOf(jobs)
  return failures.some(({ index, errno }) => {
    const change = changes[index]
    return errno === ENOENT && change?.action === 'add' && change.set.table === table
  })
}

/** Drops deletions of what is gone already, and ends the jobs that failed otherwise. */
function withoutFailures(jobs: readonly Job[], failures: readonly ElementFailure[]): readonly Job[] {
  const errnoAt = new Map(failures.map(({ index, errno }) => [index, errno]))
  const rest: Job[] = []
  let index = 0
  for (const job of jobs) {
    let error: AlgError | null = null
    job.left = job.left.filter((change) => {
      const errno = errnoAt.get(index)
      index += 1
      if (errno === undefined) return true
      if (change.action === 'add' || errno !== ENOENT) error ??= changeFailed(change, errno)
      return false
    })
    if (error === null) rest.push(job)
    else job.done({ ok: false, error })
  }
  return rest
}

function changeFailed({ action, set }: ElementChange, errno: number): AlgError {
  const name = `${set.family} ${set.table} ${set.set}`
  const call = `nft ${action} element ${name}`
  const hint = errno === EEXIST ? ' (the same peer, address and port with another target)' : ''
  const { message, context, code } = errorFromErrno(errno, 'PINHOLE_FAILED', call)
  return new AlgError(code, message + hint, { context })
}

function asPinholeError(error: unknown): AlgError {
  if (error instanceof AlgError && error.code === 'PINHOLE_FAILED') return error
  const message = error instanceof Error ? error.message : String(error)
  return new AlgError('PINHOLE_FAILED', message, { cause: error })
}
