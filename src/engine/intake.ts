// What a client may say, before anybody asks what it means: Telnet, line ends, lengths, control characters, and how
// many lines may wait.

import { type Command, parseCommand } from '../ftp/commands.ts'
import { LineSplitter } from '../ftp/lines.ts'
import { TelnetReader } from '../ftp/telnet.ts'

export type Intake =
  | { readonly type: 'command'; readonly command: Command }
  | { readonly type: 'tooLong' }
  | { readonly type: 'controlCharacters' }

/** At most this many lines, or bytes, wait for their turn before we stop reading. */
const MAX_WAITING_LINES = 64
const MAX_WAITING_BYTES = 64 * 1024

/** Lines of the client in order, with a bounded queue of those that must wait. */
export class ClientIntake {
  readonly #lines: LineSplitter
  readonly #maxPendingBytes: number
  readonly #telnet = new TelnetReader()
  #waiting: Intake[] | null = null
  #waitingBytes = 0
  /** An ABOR was taken without its LF; the LF may still come and is then no empty line. */
  #owesNewline = false

  constructor({ maxLineBytes }: { readonly maxLineBytes: number }) {
    this.#lines = new LineSplitter({ maxLineBytes })
    this.#maxPendingBytes = MAX_WAITING_BYTES + maxLineBytes
  }

  push(text: string): void {
    if (this.#owesNewline && text !== '') {
      this.#owesNewline = false
      this.#lines.push(text.startsWith('\n') ? text.slice(1) : text)
    } else {
      this.#lines.push(text)
    }
  }

  /** What was not read yet, from the first byte that is not Telnet's; empty where that is not there yet. */
  get unread(): string {
    return this.#telnet.skip(this.#lines) ? this.#lines.pending : ''
  }

  /** What Telnet wants answered since the last call, or an empty string. */
  takeAnswer(): string {
    return this.#telnet.takeAnswer()
  }

  /** The next line in order, which stays; null when none is complete. */
  peek(): Intake | null {
    const first = this.#waiting?.[0]
    if (first !== undefined) return first
    const item = this.#read()
    if (item !== null) this.#keep(item)
    return item
  }

  /** Takes away what `peek` gave. */
  take(): void {
    const waiting = this.#waiting
    const first = waiting?.shift()
    if (waiting === null || first === undefined) return
    if (waiting.length === 0) this.#waiting = null
    this.#waitingBytes -= sizeOf(first)
  }

  /** Reads ahead for an ABOR and takes it, whatever waits before it and however much. */
  takeAbort(): Command | null {
    // Lines that wait have been looked at, but for those that waited before there was anything to abort.
    const at = this.#waiting?.findIndex(isAbort) ?? -1
    const found = this.#waiting?.[at]
    if (found?.type === 'command') {
      this.#waiting?.splice(at, 1)
      if (this.#waiting?.length === 0) this.#waiting = null
      this.#waitingBytes -= sizeOf(found)
      return found.command
    }
    while (!this.#isQueueFull()) {
      const item = this.#read()
      if (item === null) return null
      if (item.type === 'command' && isAbort(item)) return item.command
      this.#keep(item)
    }
    return this.#cutAbort()
  }

  /** Looks through what has arrived and is not to be kept as lines yet. */
  #cutAbort(): Command | null {
    const found = this.#lines.cut(abortLine)
    if (found === null) return null
    this.#owesNewline = found.endsWith('\r')
    return parseCommand('ABOR')
  }

  /** Reading must stop until lines are taken. A line that is not complete may always be completed. */
  get isFull(): boolean {
    return this.#isQueueFull() || this.#waitingBytes + this.#lines.pendingBytes >= this.#maxPendingBytes
  }

  /** Nothing has arrived that was not given out. */
  get isEmpty(): boolean {
    return this.#waiting === null && this.#lines.pendingBytes === 0
  }

  #isQueueFull(): boolean {
    return (this.#waiting?.length ?? 0) >= MAX_WAITING_LINES || this.#waitingBytes >= MAX_WAITING_BYTES
  }

  #keep(item: Intake): void {
    this.#waiting ??= []
    this.#waiting.push(item)
    this.#waitingBytes += sizeOf(item)
  }

  #read(): Intake | null {
    if (!this.#telnet.skip(this.#lines)) return null
    const line = this.#lines.next()
    if (line === null) return this.#urgentAbort()
    if (line.type === 'tooLong') return line
    const text = isAbortWithSynch.test(line.text) ? line.text.slice(0, 4) : line.text
    return hasControlCharacter(text)
      ? { type: 'controlCharacters' }
      : { type: 'command', command: parseCommand(text) }
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

/** A line that is an ABOR, with Telnet around it; its LF may be lost as urgent data, see `#urgentAbort`. */
const abortLine = /(?<=^|\n)[\xf0-\xff]*ABOR[\xf0-\xff]*(?:\r?\n|\r$)/i

/** An ABOR with a Synch behind it instead of before. */
const isAbortWithSynch = /^ABOR[\xf0-\xff]+$/i

function isAbort(item: Intake): boolean {
  return item.type === 'command' && item.command.verb === 'ABOR'
}

function hasControlCharacter(text: string): boolean {
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if ((code < 32 && code !== TAB) || code === 127) return true
  }
  return false
}

const TAB = 9

function sizeOf(item: Intake): number {
  return item.type === 'command' ? item.command.line.length : 0
}
