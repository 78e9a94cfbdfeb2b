// The control channel is a Telnet connection (RFC 959 §2.3, RFC 1123 §4.1.2.12). We follow the least of it:
// refuse every option, understand the Synch that precedes ABOR, never relay a Telnet command.

const IAC = 0xff
const DONT = 0xfe
const DO = 0xfd
const WONT = 0xfc
const WILL = 0xfb
const SB = 0xfa
const SE = 0xf0
const DM = 0xf2

/** Marks a Telnet command inside a verb: the line then fails the control character check (500, S13). */
const MARK = '\x00'

export interface TelnetResult {
  /** The input without Telnet commands. A doubled IAC stays doubled: it goes on to the other side as it came. */
  readonly text: string
  /** What must be answered to the sender, or an empty string: `IAC DONT x` to WILL, `IAC WONT x` to DO. */
  readonly answer: string
}

/**
 * Takes Telnet commands out of one direction of a control channel, across any segmentation.
 *
 * Without `SO_OOBINLINE` the urgent byte of a Synch is missing from the stream, so `FF F4 FF` + `ABOR` (DM lost)
 * and `FF F4` + `F2 ABOR` (IAC lost) both leave `ABOR`.
 */
export class TelnetFilter {
  #state: 'data' | 'iac' | 'option' | 'subnegotiation' | 'subnegotiationIac' = 'data'
  #command = 0
  #column = 0
  #seenSpace = false
  /** A Telnet command stood just before, at the start of the line: a Synch may be under way. */
  #afterCommand = false
  #answered = 0

  push(input: string): TelnetResult {
    if (this.#state === 'data' && !this.#afterCommand && !input.includes('\xff')) {
      this.#follow(input)
      return { text: input, answer: '' }
    }
    let text = ''
    let answer = ''
    for (let at = 0; at < input.length; at += 1) {
      const code = input.charCodeAt(at)
      switch (this.#state) {
        case 'data':
          if (code === IAC) {
            this.#state = 'iac'
          } else if (this.#afterCommand && this.#column === 0 && code === DM) {
            // FF F4 [FF lost] F2: the second half of a Synch.
          } else {
            this.#afterCommand = false
            text += this.#data(input[at] ?? '')
          }
          break
        case 'iac':
          this.#state = 'data'
          if (code === IAC) {
            text += this.#data('\xff\xff')
          } else if (code === WILL || code === WONT || code === DO || code === DONT) {
            this.#command = code
            this.#state = 'option'
            text += this.#mark()
          } else if (code === SB) {
            this.#state = 'subnegotiation'
            text += this.#mark()
          } else if (code >= SE) {
            text += this.#mark()
            this.#afterCommand = this.#column === 0
          } else if (this.#afterCommand && this.#column === 0) {
            // FF F4 FF [F2 lost] A: the byte belongs to the line.
            this.#afterCommand = false
            text += this.#data(input[at] ?? '')
          } else {
            // A lone 0xFF in a name, from a client that does not double it.
            text += this.#data('\xff') + this.#data(input[at] ?? '')
          }
          break
        case 'option':
          this.#state = 'data'
          this.#afterCommand = this.#column === 0
          answer += this.#refuse(code)
          break
        case 'subnegotiation':
          if (code === IAC) this.#state = 'subnegotiationIac'
          break
        case 'subnegotiationIac':
          this.#state = code === SE ? 'data' : 'subnegotiation'
          break
      }
    }
    return { text, answer }
  }

  /** At most 64 answers a session, so that a flood of options cannot be turned into a flood of answers. */
  #refuse(option: number): string {
    if (this.#command !== WILL && this.#command !== DO) return ''
    this.#answered += 1
    if (this.#answered > 64) return ''
    return String.fromCharCode(IAC, this.#command === WILL ? DONT : WONT, option)
  }

  #data(text: string): string {
    this.#follow(text)
    return text
  }

  /** Keeps column and first space of the current line. */
  #follow(text: string): void {
    const newline = text.lastIndexOf('\n')
    const line = newline < 0 ? text : text.slice(newline + 1)
    if (newline >= 0) {
      this.#column = 0
      this.#seenSpace = false
    }
    this.#column += line.length
    this.#seenSpace ||= line.includes(' ')
  }

  #mark(): string {
    return this.#column > 0 && !this.#seenSpace ? MARK : ''
  }
}
