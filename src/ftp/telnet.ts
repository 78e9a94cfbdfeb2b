// The control channel is a Telnet connection (RFC 959 §2.3, RFC 1123 §4.1.2.12). We follow the least of it:
// refuse every option, understand the Synch that precedes ABOR, never relay a Telnet command.

/** The byte that begins every Telnet command; without it there is nothing to filter. */
export const IAC = '\xff'

export interface TelnetFilterOptions {
  /** What had arrived of the current line before the filter was needed. */
  readonly lineSoFar: string
  /** Whether a Telnet command inside a verb leaves a NUL there, so that the line is refused (S13). */
  readonly marksVerbs: boolean
}

export interface TelnetResult {
  /** The input without Telnet commands. A doubled IAC stays doubled: it goes on to the other side as it came. */
  readonly text: string
  /** What must be answered to the sender, or an empty string: `IAC DONT x` to WILL, `IAC WONT x` to DO. */
  readonly answer: string
}

/**
 * Takes Telnet commands out of one direction of a control channel, across any segmentation. Most sessions never
 * see an IAC and need no filter; from the first one on everything goes through it.
 *
 * Without `SO_OOBINLINE` the urgent byte of a Synch is missing from the stream, so `FF F4 FF` + `ABOR` (DM lost)
 * and `FF F4` + `F2 ABOR` (IAC lost) both leave `ABOR`.
 */
export class TelnetFilter {
  readonly #marksVerbs: boolean
  #state: 'data' | 'iac' | 'option' | 'subnegotiation' | 'subnegotiationIac' = 'data'
  /** WILL, WONT, DO or DONT, whose option byte comes next. */
  #verb = 0
  #isLineStart = true
  #isInVerb = true
  /** A Telnet command stood just before, at the start of the line: a Synch may be under way. */
  #mayBeSynch = false
  #answers = 0

  constructor({ lineSoFar, marksVerbs }: TelnetFilterOptions) {
    this.#marksVerbs = marksVerbs
    this.#follow(lineSoFar)
  }

  push(input: string): TelnetResult {
    let text = ''
    let answer = ''
    for (let at = 0; at < input.length; at += 1) {
      const code = input.charCodeAt(at)
      switch (this.#state) {
        case 'data':
          if (code === IAC_CODE) this.#state = 'iac'
          // FF F4 [FF lost] F2: the second half of a Synch is no text.
          else if (!(this.#mayBeSynch && code === DM)) text += this.#data(input.charAt(at))
          break
        case 'iac':
          this.#state = 'data'
          text += this.#afterIac(code, input.charAt(at))
          break
        case 'option':
          this.#state = 'data'
          answer += this.#refuse(code)
          break
        case 'subnegotiation':
          if (code === IAC_CODE) this.#state = 'subnegotiationIac'
          break
        case 'subnegotiationIac':
          this.#state = code === SE ? 'data' : 'subnegotiation'
          break
      }
    }
    return { text, answer }
  }

  /** The text that a byte after IAC stands for. */
  #afterIac(code: number, character: string): string {
    if (code === IAC_CODE) return this.#data(IAC + IAC)
    if (code >= SE) {
      if (code === SB) this.#state = 'subnegotiation'
      if (code >= WILL) {
        this.#state = 'option'
        this.#verb = code
      }
      this.#mayBeSynch = this.#isLineStart
      return this.#marksVerbs && this.#isInVerb && !this.#isLineStart ? MARK : ''
    }
    // FF F4 FF [F2 lost] A: the byte begins the line. Otherwise a client does not double the 0xFF of a name.
    return this.#mayBeSynch ? this.#data(character) : this.#data(IAC + character)
  }

  /** At most 64 answers a session, so that a flood of options cannot be turned into a flood of answers. */
  #refuse(option: number): string {
    if (this.#verb === WONT || this.#verb === DONT) return ''
    this.#answers += 1
    if (this.#answers > MAX_ANSWERS) return ''
    return IAC + String.fromCharCode(this.#verb === WILL ? DONT : WONT, option)
  }

  #data(text: string): string {
    this.#mayBeSynch = false
    this.#follow(text)
    return text
  }

  #follow(text: string): void {
    for (let at = 0; at < text.length; at += 1) {
      const character = text.charAt(at)
      if (character === '\n') {
        this.#isLineStart = this.#isInVerb = true
      } else {
        this.#isLineStart = false
        if (character === ' ') this.#isInVerb = false
      }
    }
  }
}

const MARK = '\x00'
const MAX_ANSWERS = 64

const IAC_CODE = 0xff
const DONT = 0xfe
const WONT = 0xfc
const WILL = 0xfb
const SB = 0xfa
const DM = 0xf2
const SE = 0xf0
