/** The next number, 0 to `below` - 1, of the stream that decides what happens. */
export type Choose = (below: number) => number

/** An FTP server that answers every command in order, as one of many servers might. */
export class RandomServer {
  readonly #choose: Choose
  readonly #asked: { readonly verb: string; readonly line: string }[] = []
  #hasStartedTransfer = false

  constructor(choose: Choose) {
    this.#choose = choose
  }

  /** Nothing waits for an answer. */
  get isIdle(): boolean {
    return this.#asked.length === 0
  }

  asked(line: string): void {
    this.#asked.push({ verb: line.replace(/ .*/, ''), line })
  }

  /** The next thing it says: a whole reply, or nothing where some servers are silent. */
  answer(): string {
    const [{ verb, line } = { verb: '', line: '' }] = this.#asked
    if (isTransfer(verb) && !this.#hasStartedTransfer && this.#choose(4) > 0) {
      this.#hasStartedTransfer = true
      return '150 Opening.\r\n'
    }
    this.#asked.shift()
    // So that it can be seen whose answer it is.
    if (verb === 'SITE') return `200 ${line}\r\n`
    if (!isTransfer(verb)) return this.#replyTo(verb)
    this.#hasStartedTransfer = false
    return this.#oneOf(['226 Done.', '426 Failed.', '550 No such file.'])
  }

  #replyTo(verb: string): string {
    // Data ports are 51200 to 51399, on whatever host it names.
    const host = this.#choose(2) === 0 ? '198,51,100,7' : '10,0,0,5'
    const low = this.#choose(200)
    switch (verb) {
      case 'USER':
        return '331 Password please.\r\n'
      case 'PASS':
        return '230 Logged in.\r\n'
      case 'PASV':
        return this.#oneOf([`227 Passive (${host},200,${low}).`, `227 =${host},200,${low}`, '502 No.'])
      case 'EPSV':
        return this.#oneOf([`229 Passive (|||${51_200 + low}|)`, '500 No.', '425 Out of ports.'])
      case 'PORT':
      case 'EPRT':
        return this.#oneOf(['200 Ok.', '500 No.'])
      case 'ABOR':
        // Some servers answer once where two replies are due.
        return this.#choose(3) === 0 ? '' : '226 Aborted.\r\n'
      case 'STAT':
        return '211-Status\r\n 227 (6,6,6,6,0,25)\r\n211 End\r\n'
      case 'FEAT':
        return '211-Features:\r\n AUTH TLS\r\n211 End\r\n'
      case 'REIN':
        return '220 Ready.\r\n'
      default:
        return '200 Ok.\r\n'
    }
  }

  #oneOf(lines: readonly string[]): string {
    return `${lines[this.#choose(lines.length)]}\r\n`
  }
}

function isTransfer(verb: string): boolean {
  return verb === 'RETR' || verb === 'STOR' || verb === 'LIST'
}
