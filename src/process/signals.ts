// Signals from the first moment on. One that comes during the start waits for its end: a process that is killed in between
// leaves firewall rules behind.

const watched = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const

export type WatchedSignal = (typeof watched)[number]

export class Signals {
  readonly #early: WatchedSignal[] = []
  #act: ((signal: WatchedSignal) => void) | null = null

  /** From here on none of them ends the process by itself, but the second SIGTERM or SIGINT before `actBy`. */
  constructor() {
    for (const signal of watched) process.on(signal, () => this.#came(signal))
  }

  /** Acts on what has come, and on what comes from now on. */
  actBy(act: (signal: WatchedSignal) => void): void {
    this.#act = act
    for (const signal of this.#early.splice(0)) act(signal)
  }

  #came(signal: WatchedSignal): void {
    if (this.#act !== null) {
      this.#act(signal)
      return
    }
    const isStop = signal !== 'SIGHUP'
    if (isStop && this.#early.some((earlier) => earlier !== 'SIGHUP'))
      process.exit(signal === 'SIGINT' ? 130 : 143)
    this.#early.push(signal)
  }
}
