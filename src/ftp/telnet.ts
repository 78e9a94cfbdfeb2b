// The control channel is a Telnet connection (RFC 959 §2.3, RFC 1123 §4.1.2.12). We follow the least of it: refuse
// every option, understand the Synch that precedes ABOR, never relay a Telnet command. It is looked for where it can
// stand, at the beginning of a line. Inside a line 0xFF is a letter: Windows-1251 writes its last one so.

import type { LineBuffer } from './line-buffer.ts'

/** The byte that begins every Telnet command. */
export const IAC_CODE = 0xff

export interface TelnetCommand {
  /** Bytes to leave out. */
  readonly length: number
  /** What must be answered to the sender, or an empty string: `IAC DONT x` to WILL, `IAC WONT x` to DO. */
  readonly answer: string
}

/** Reads Telnet commands at the beginning of lines, for one direction of a control channel. */
export class TelnetReader {
  /** A Telnet command stood just before: a Synch may be under way, whose bytes the urgent mark can swallow. */
  #mayBeSynch = false
  #answers = 0
  #answer = ''

  /** Whether a byte at the beginning of a line can be Telnet. */
  mayBegin(code: number): boolean {
    return code === IAC_CODE || (this.#mayBeSynch && code === DM)
  }

  /** Leaves out the Telnet commands with which a line begins. False when one is not complete. */
  skip(line: Pick<LineBuffer, 'firstCode' | 'pending' | 'skip'>): boolean {
    while (this.mayBegin(line.firstCode)) {
      const command = this.read(line.pending, 0)
      if (command === 'incomplete') return false
      if (command === null) return true
      this.#answer += command.answer
      line.skip(command.length)
    }
    return true
  }

  /** What must be answered since the last call, or an empty string. */
  takeAnswer(): string {
    const answer = this.#answer
    this.#answer = ''
    return answer
  }

  /**
   * The Telnet command that stands at `at`, where a line begins; null for none, `incomplete` while more bytes are needed.
   *
   * Without `SO_OOBINLINE` the urgent byte of a Synch is missing from the stream, so `FF F4 FF` + `ABOR` (DM lost)
   * and `FF F4` + `F2 ABOR` (IAC lost) both leave `ABOR`. A doubled IAC is text and passes as it came.
   */
  read(text: string, at: number): TelnetCommand | 'incomplete' | null {
    const first = text.charCodeAt(at)
    const wasSynch = this.#mayBeSynch
    if (first === DM && wasSynch) return bare(1)
    if (first !== IAC_CODE) {
      this.#mayBeSynch = false
      return null
    }
    if (at + 1 >= text.length) return 'incomplete'
    const command = text.charCodeAt(at + 1)
    if (command === SB) return this.#subnegotiation(text, at)
    if (command >= WILL && command < IAC_CODE) {
      if (at + 2 >= text.length) return 'incomplete'
      this.#mayBeSynch = true
      return { length: 3, answer: this.#refuse(command, text.charCodeAt(at + 2)) }
    }
    if (command >= SE && command < IAC_CODE) {
      this.#mayBeSynch = true
      return bare(2)
    }
    this.#mayBeSynch = false
    // FF F4 FF [F2 lost] A: the byte begins the line.
    return wasSynch && command !== IAC_CODE ? bare(1) : null
  }

  #subnegotiation(text: string, at: number): TelnetCommand | 'incomplete' {
    const end = text.indexOf('\xff\xf0', at + 2)
    if (end < 0 && text.length - at < MAX_SUBNEGOTIATION_BYTES) return 'incomplete'
    this.#mayBeSynch = true
    return bare(end < 0 ? text.length - at : end + 2 - at)
  }

  /** At most 64 answers a session, so that a flood of options cannot be turned into a flood of answers. */
  #refuse(verb: number, option: number): string {
    if (verb === WONT || verb === DONT) return ''
    this.#answers += 1
    if (this.#answers > MAX_ANSWERS) return ''
    return String.fromCharCode(IAC_CODE, verb === WILL ? DONT : WONT, option)
  }
}

const MAX_ANSWERS = 64
const MAX_SUBNEGOTIATION_BYTES = 4096

const DONT = 0xfe
const WONT = 0xfc
const WILL = 0xfb
const SB = 0xfa
const DM = 0xf2
const SE = 0xf0

function bare(length: number): TelnetCommand {
  return { length, answer: '' }
}
