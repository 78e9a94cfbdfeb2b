// What a client may say, before anybody asks what it means: Telnet, line ends, lengths, control characters, and
// how many lines may wait.

import { type Command, parseCommand } from '../ftp/commands.ts'
import { LineSplitter } from '../ftp/lines.ts'
import { IAC, TelnetFilter } from '../ftp/telnet.ts'

export type Intake =
  | { readonly type: 'command'; readonly command: Command }
  | { readonly type: 'tooLong' }
  | { readonly type: 'controlCharacters' }

/** At most this many lines, or bytes, wait for their turn before we stop reading. */
const MAX_WAITING_LINES = 16
const MAX_WAITING_BYTES = 16 * 1024

/** Lines of the client in order, with a bounded queue of those that a transfer makes wait. */
export class ClientIntake {
  readonly #lines: LineSplitter
  readonly #maxPendingBytes: number
  #telnet: TelnetFilter | null = null
  #waiting: Intake[] | null = null
  #waitingBytes = 0
  /** An ABOR was taken without its LF; the LF may still come and is then no empty line. */
  #owesNewline = false

  constructor({ maxLineBytes }: { readonly maxLineBytes: number }) {
    this.#lines = new LineSplitter({ maxLineBytes })
    this.#maxPendingBytes = MAX_WAITING_BYTES + maxLineBytes
  }

  /** Takes bytes in and gives what Telnet wants answered, or an empty string. */
  push(input: string): string {
    if (this.#telnet === null && !input.includes(IAC)) {
      this.#take(input)
      return ''
    }
    this.#telnet ??= new TelnetFilter({ lineSoFar: this.#lines.pending, marksVerbs: true })
    const { text, answer } = this.#telnet.push(input)
    this.#take(text)
    return answer
  }

  /** The next line in order, or null when none is complete. */
  next(): Intake | null {
    const waiting = this.#waiting
    const first = waiting?.shift()
    if (waiting === null || first === undefined) return this.#read()
    if (waiting.length === 0) this.#waiting = null
    this.#waitingBytes -= sizeOf(first)
    return first
  }

  /**
   * Reads ahead during a transfer and gives the first line that may overtake it: ABOR always, STAT and QUIT when
   * nothing waits before them. Everything else joins the queue.
   */
  nextOvertaking(mayOvertake: (verb: string) => boolean): Command | null {
    const head = this.#waiting?.[0]
    if (head?.type === 'command' && mayOvertake(head.command.verb)) {
      this.next()
      return head.command
    }
    while (!this.#isQueueFull) {
      const item = this.#read()
      if (item === null) return null
      const isFirst = this.#waiting === null
      if (item.type === 'command' && mayOvertake(item.command.verb)) {
        if (isFirst || item.command.verb === 'ABOR') return item.command
      }
      this.#waiting ??= []
      this.#waiting.push(item)
      this.#waitingBytes += sizeOf(item)
    }
    return null
  }

  /** Reading must stop until lines are taken. A line that is not complete may always be completed. */
  get isFull(): boolean {
    return this.#isQueueFull || this.#waitingBytes + this.#lines.pendingBytes >= this.#maxPendingBytes
  }

  /** Nothing has arrived that was not given out. */
  get isEmpty(): boolean {
    return this.#waiting === null && this.#lines.pendingBytes === 0
  }

  /** What has arrived of the lines that nobody has read. */
  get pending(): string {
    return this.#lines.pending
  }

  get #isQueueFull(): boolean {
    return (this.#waiting?.length ?? 0) >= MAX_WAITING_LINES || this.#waitingBytes >= MAX_WAITING_BYTES
  }

  #take(text: string): void {
    if (!this.#owesNewline || text === '') {
      this.#lines.push(text)
      return
    }
    this.#owesNewline = false
    this.#lines.push(text.startsWith('\n') ? text.slice(1) : text)
  }

  #read(): Intake | null {
    const line = this.#lines.next()
    if (line === null) return this.#urgentAbort()
    if (line.type === 'tooLong') return line
    return hasControlCharacter(line.text)
      ? { type: 'controlCharacters' }
      : { type: 'command', command: parseCommand(line.text) }
  }

  /**
   * Python's ftplib sends `ABOR\r\n` as urgent data, whose last byte is lost without SO_OOBINLINE: the line then
   * never ends.
   */
  #urgentAbort(): Intake | null {
    if (this.#lines.pendingBytes !== 5 || this.#lines.pending.toUpperCase() !== 'ABOR\r') return null
    this.#lines.clear()
    this.#owesNewline = true
    return { type: 'command', command: parseCommand('ABOR') }
  }
}

function hasControlCharacter(text: string): boolean {
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (code < 32 || code === 127) return true
  }
  return false
}

function sizeOf(item: Intake): number {
  return item.type === 'command' ? item.command.line.length : 0
}
