// One worker as the supervisor sees it: a process that takes orders and gives answers until it ends.

import cluster, { type Worker } from 'node:cluster'
import type { Config } from '../config/config.ts'
import { AlgError, assertNever } from '../errors.ts'
import type { PoolCheck } from '../vocabulary.ts'
import { type Snapshot, type StartOrder, type ToSupervisor, type ToWorker, WORKER_INDEX } from './messages.ts'
import { SignOfLife } from './sign-of-life.ts'

export interface WorkerProcessOptions {
  /** From 0. */
  readonly index: number
  readonly order: StartOrder
  /** What it says without being asked. */
  readonly sessionsChanged: (count: number) => void
  readonly obstaclesChanged: (obstacles: readonly string[]) => void
  readonly poolChecked: (check: PoolCheck) => void
  readonly reported: (snapshot: Snapshot) => void
  /** It hangs and was killed: since it began to listen it gave no sign of life for `silenceMs`. */
  readonly hung: (silenceMs: number) => void
  /** Default: 10 s. */
  readonly silenceMs?: number
}

/** A worker that does not answer a question within this is not waited for. */
const ANSWER_MS = 2_000
/** A worker that says nothing for this long hangs. */
const SILENCE_MS = 10_000
/** After a worker's exit. Node does not always notice that the channel to a killed one is gone. */
const LAST_WORDS_MS = 1_000
/** Reloading may ask DNS for the addresses to announce. */
const RELOAD_MS = 15_000

type Answer = Extract<ToSupervisor, { readonly id: number }>

export class WorkerProcess {
  /** Errors: why it could not start; then it ends by itself. */
  readonly started: Promise<void>
  /** The signal or exit code that it ended with, `'SIGKILL'` or `'1'`; by then all it said has been heard. */
  readonly ended: Promise<string>
  readonly #worker: Worker
  readonly #options: WorkerProcessOptions
  readonly #questions = new Map<number, (answer: Answer | null) => void>()
  #lastQuestion = 0
  #life: SignOfLife | null = null
  #isRunning = false
  /** Orders that wait until it listens: before, they would be lost. Null from then on. */
  #waiting: ToWorker[] | null = []

  /** Errors: the system refuses another process. */
  constructor(options: WorkerProcessOptions) {
    this.#options = options
    const worker = cluster.fork({ [WORKER_INDEX]: String(options.index) })
    this.#worker = worker
    this.ended = this.#untilEnded(worker)
    this.started = this.#untilStarted(worker)
    this.started.catch(() => undefined)
    worker.on('message', (message: ToSupervisor) => this.#heard(message))
    this.tell(options.order)
  }

  /** -1 when the system made no process. */
  get pid(): number {
    return this.#worker.process.pid ?? -1
  }

  /** It has started and not ended. */
  get isRunning(): boolean {
    return this.#isRunning
  }

  tell(order: ToWorker): void {
    if (this.#waiting !== null) this.#waiting.push(order)
    else if (this.#worker.isConnected()) this.#worker.send(order, () => undefined)
  }

  /** Asks for what it shows; resolves when `reported` was called, or the worker did not answer. */
  async look(): Promise<void> {
    await this.#ask((id) => ({ type: 'snapshot', id }), ANSWER_MS)
  }

  /** Errors: what kept it from taking the configuration. */
  async reload(config: Config): Promise<void> {
    const answer = await this.#ask((id) => ({ type: 'reload', id, config }), RELOAD_MS)
    const isSilent = answer === null && this.#worker.isConnected()
    const problem = isSilent ? 'does not answer' : answer?.type === 'reloaded' ? answer.problem : null
    if (problem !== null) {
      throw new AlgError('RUNTIME_FAILED', `worker ${this.#options.index}: ${problem}`)
    }
  }

  /** False when it has no such session. */
  async endSession(session: string): Promise<boolean> {
    const answer = await this.#ask((id) => ({ type: 'endSession', id, session }), ANSWER_MS)
    return answer?.type === 'sessionEnded' && answer.wasThere
  }

  kill(): void {
    this.#worker.process.kill('SIGKILL')
  }

  /** Null when it has ended, or does not answer in time. */
  #ask(question: (id: number) => ToWorker, timeoutMs: number): Promise<Answer | null> {
    this.#lastQuestion += 1
    const id = this.#lastQuestion
    if (!this.#worker.isConnected()) return Promise.resolve(null)
    return new Promise((resolve) => {
      const settle = (answer: Answer | null) => {
        clearTimeout(timer)
        this.#questions.delete(id)
        resolve(answer)
      }
      const timer = setTimeout(() => settle(null), timeoutMs)
      this.#questions.set(id, settle)
      this.tell(question(id))
    })
  }

  #heard(message: ToSupervisor): void {
    this.#life?.heard()
    switch (message.type) {
      case 'lives':
        break
      case 'listens': {
        this.#life = this.#watchLife()
        const orders = this.#waiting ?? []
        this.#waiting = null
        for (const order of orders) this.tell(order)
        break
      }
      case 'started':
        this.#isRunning = true
        break
      case 'failed':
        break
      case 'snapshot':
        this.#options.reported(message.snapshot)
        this.#questions.get(message.id)?.(message)
        break
      case 'reloaded':
      case 'sessionEnded':
        this.#questions.get(message.id)?.(message)
        break
      case 'sessions':
        this.#options.sessionsChanged(message.count)
        break
      case 'poolChecked':
        this.#options.poolChecked(message.check)
        break
      case 'obstacles':
        this.#options.obstaclesChanged(message.obstacles)
        break
      case 'ended':
        this.#options.reported(message.snapshot)
        break
      default:
        assertNever(message)
    }
  }

  #watchLife(): SignOfLife {
    const { silenceMs = SILENCE_MS, hung } = this.#options
    return new SignOfLife({
      silenceMs,
      ask: () => this.tell({ type: 'askLife' }),
      silent: () => {
        hung(silenceMs)
        this.kill()
      },
    })
  }

  #untilStarted(worker: Worker): Promise<void> {
    return new Promise((resolve, reject) => {
      worker.on('message', (message: ToSupervisor) => {
        if (message.type === 'started') resolve()
        if (message.type !== 'failed') return
        const { code, message: text, context } = message
        reject(new AlgError(code, text, { context }))
      })
      worker.once('error', reject)
      void this.ended.then((how) => {
        reject(
          new AlgError('RUNTIME_FAILED', `worker ${this.#options.index} ended while it started (${how})`),
        )
      })
    })
  }

  async #untilEnded(worker: Worker): Promise<string> {
    const how = new Promise<string>((resolve) => {
      worker.once('exit', (code, signal) => resolve(signal ?? String(code)))
      // There is no process, or something could not be sent to one that is about to end.
      worker.on('error', (error) => {
        if (worker.process.pid === undefined) resolve(error.message)
      })
    })
    // The exit may be seen before the last words.
    const silent = new Promise<void>((resolve) => worker.once('disconnect', () => resolve()))
    const text = await how
    this.#life?.stop()
    if (worker.process.pid !== undefined) await within(LAST_WORDS_MS, silent)
    this.#isRunning = false
    for (const settle of [...this.#questions.values()]) settle(null)
    return text
  }
}

function within(ms: number, event: Promise<void>): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    void event.then(() => {
      clearTimeout(timer)
      resolve()
    })
  })
}
