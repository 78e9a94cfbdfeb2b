// What a client may say, before anybody asks what it means: Telnet, line ends, lengths, control characters, and
// how many lines may wait.

import { type Command, parseCommand } from '../ftp/commands.ts'
import { LineSplitter } from '../ftp/lines.ts'
import { TelnetFilter } from '../ftp/telnet.ts'

export type Intake =
  | { readonly type: 'command'; readonly command: Command }
  | { readonly type: 'tooLong' }
  | { readonly type: 'controlCharacters'; readonly line: string }

/** At most this many lines, or bytes, wait for their turn before we stop reading. */
const MAX_WAITING_LINES = 16
const MAX_WAITING_BYTES = 16 * 1024

/** Lines of the client in order, with a bounded queue of those that wait. */
export class ClientIntake {
  readonly #telnet = new TelnetFilter()
  readonly #lines: LineSplitter
  readonly #waiting: Intake[] = []
  #waitingBytes = 0
  /** An ABOR was taken without its LF; the LF may still come and is then no empty line. */
  #owesNewline = false

  constructor({ maxLineBytes }: { readonly maxLineBytes: number }) {
    this.#lines = new LineSplitter({ maxLineBytes })
  }

  /** Takes bytes in and gives what Telnet wants answered, or an empty string. */
  push(input: string): string {
    const { text, answer } = this.#telnet.push(input)
    if (this.#owesNewline && text !== '') {
      this.#owesNewline = false
      this.#lines.push(text[0] === '\n' ? text.slice(1) : text)
    } else {
      this.#lines.push(text)
    }
    return answer
  }

  /** The next line in order. */
  next(): Intake | null {
    const waiting = this.#waiting.shift()
    if (waiting === undefined) return this.#read()
    this.#waitingBytes -= sizeOf(waiting)
    return waiting
  }

  /**
   * Reads ahead during a transfer and gives the first line that may overtake: ABOR always, STAT and QUIT when
   * nothing waits before them. Everything else joins the queue.
   */
  nextOvertaking(): Command | null {
    while (!this.isFull) {
      const item = this.#read() ?? this.#urgentAbort()
      if (item === null) return null
      if (item.type === 'command') {
        const { verb } = item.command
        if (verb === 'ABOR') return item.command
        if ((verb === 'STAT' || verb === 'QUIT') && this.#waiting.length === 0) return item.command
      }
      this.#waiting.push(item)
      this.#waitingBytes += sizeOf(item)
    }
    return null
  }

  /** Reading must stop until lines are taken. */
  get isFull(): boolean {
    return this.#waiting.length >= MAX_WAITING_LINES || this.#waitingBytes >= MAX_WAITING_BYTES
  }

  /** Bytes that nobody has looked at, and lines that wait. */
  get isEmpty(): boolean {
    return this.#waiting.length === 0 && this.#lines.pendingBytes === 0
  }

  /** Bytes taken in and not given out. */
  get pendingBytes(): number {
    return this.#lines.pendingBytes + this.#waitingBytes
  }

  /** The beginning of the line under way. */
  get pending(): string {
    return this.#lines.pending
  }

  /**
   * Python's ftplib sends `ABOR\r\n` as urgent data, whose last byte is lost without SO_OOBINLINE: the line then
   * never ends.
   */
  #urgentAbort(): Intake | null {
    if (this.#lines.pendingBytes !== 5 || !/^ABOR\r$/i.test(this.#lines.pending)) return null
    this.#lines.clear()
    this.#owesNewline = true
    return { type: 'command', command: parseCommand('ABOR') }
  }

  #read(): Intake | null {
    const line = this.#lines.next()
    if (line === null) return null
    if (line.type === 'tooLong') return line
    return hasControlCharacter(line.text)
      ? { type: 'controlCharacters', line: line.text }
      : { type: 'command', command: parseCommand(line.text) }
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
  switch (item.type) {
    case 'command':
      return item.command.line.length
    case 'controlCharacters':
      return item.line.length
    case 'tooLong':
      return 0
  }
}
