import type { Connection, ConnectionHandlers, Endpoint, Wire } from '../wire/wire.ts'
import { patternByte } from '../wire/wire.ts'

/** Moments of the current transfer, on the clock of `performance.now()`. */
export interface Marks {
  passiveAskedAt: number
  passiveGivenAt: number
  transferAskedAt: number
  firstByteAt: number
}

export interface ClientOptions {
  readonly target: Endpoint
  /** `anonymous`, or whatever the system under test needs to find the server: `anonymous@10.72.1.2`. */
  readonly user: string
  /** Called at most once, after which the client is closed. */
  readonly onFailure: (reason: string) => void
}

/** From this size on the receiving end is woken for 256 kB at a time. */
const bulkBytes = 1 << 20
const digit0 = 0x30
const dash = 0x2d

const commands = {
  password: line('PASS bench@example.net'),
  binary: line('TYPE I'),
  passive: line('PASV'),
  noop: line('NOOP'),
  quit: line('QUIT'),
}

/** One FTP session from the client's side: one command outstanding, passive transfers, every reply checked. */
export class FtpClient implements ConnectionHandlers {
  readonly marks: Marks = { passiveAskedAt: 0, passiveGivenAt: 0, transferAskedAt: 0, firstByteAt: 0 }
  private readonly wire: Wire
  private readonly options: ClientOptions
  private readonly control: Connection
  private readonly userCommand: Buffer
  private onReply: (code: number, text: Buffer) => void
  private partial: Buffer | null = null
  private endpoint: Endpoint | null = null
  private data: Connection | null = null
  private isOver = false
  private isQuitting = false

  constructor(wire: Wire, options: ClientOptions) {
    this.wire = wire
    this.options = options
    this.userCommand = userCommandOf(options.user)
    this.onReply = this.refuseReply
    this.control = wire.connect(options.target, this)
  }

  /** Banner, USER, PASS and TYPE I. */
  login(done: () => void): void {
    this.expect(220, () =>
      this.ask(this.userCommand, 331, () =>
        this.ask(commands.password, 230, () => this.ask(commands.binary, 200, done)),
      ),
    )
  }

  noop(done: () => void): void {
    this.ask(commands.noop, 200, done)
  }

  /** PASV; the endpoint is kept for the next transfer. */
  enterPassive(done: () => void): void {
    this.marks.passiveAskedAt = performance.now()
    this.ask(commands.passive, 227, (text) => {
      this.marks.passiveGivenAt = performance.now()
      this.endpoint = parsePassiveReply(text)
      if (this.endpoint === null) this.fail(`no endpoint in ${textOf(text)}`)
      else done()
    })
  }

  /** Fetches a file of exactly `bytes` bytes into nothing; with `verify` its content is compared as well. */
  retrieve(bytes: number, done: () => void, verify = false): void {
    const transfer = new Download(this, bytes, verify, done)
    this.data = this.openData(transfer)
    if (!verify) this.data.discard(bytes >= bulkBytes ? bulkBytes / 4 : 1)
    this.marks.firstByteAt = 0
    this.marks.transferAskedAt = performance.now()
    this.askForTransfer(line(`RETR ${bytes}.bin`), () => transfer.replied())
  }

  store(bytes: number, done: () => void): void {
    let isUp = false
    let isAllowed = false
    const data = this.openData({
      connected: () => {
        isUp = true
        if (isAllowed) data.pump(bytes)
      },
      pumped: () => data.close(),
      ended: (_, error) => this.fail(`the upload was cut short: ${error ?? 'the other end closed'}`),
    })
    this.data = data
    this.marks.transferAskedAt = performance.now()
    this.askForTransfer(line(`STOR ${bytes}.bin`), done, () => {
      isAllowed = true
      if (isUp) data.pump(bytes)
    })
  }

  /** QUIT; the server closes first, which leaves no port of ours in TIME_WAIT. */
  quit(done: () => void): void {
    this.ask(commands.quit, 221, () => {
      this.isQuitting = true
      done()
    })
  }

  /** Without farewell. */
  abandon(): void {
    this.isOver = true
    this.data?.close()
    this.control.close()
  }

  fail(reason: string): void {
    if (this.isOver) return
    this.abandon()
    this.options.onFailure(reason)
  }

  received(_: Connection, bytes: Buffer): void {
    // Nearly always one whole reply; what is left over waits for the rest of its line.
    let text = bytes
    if (this.partial !== null) text = Buffer.concat([this.partial, bytes])
    this.partial = null
    let start = 0
    for (let end = text.indexOf(10); end >= 0; end = text.indexOf(10, start)) {
      const code = finalCodeAt(text, start)
      if (code > 0) this.onReply(code, text.subarray(start, end))
      start = end + 1
    }
    if (start < text.length) this.partial = Buffer.from(text.subarray(start))
  }

  ended(_: Connection, error: string | null): void {
    if (this.isQuitting) this.isOver = true
    else this.fail(`control connection: ${error ?? 'closed by the other end'}`)
  }

  private readonly refuseReply = (_: number, text: Buffer): void =>
    this.fail(`unexpected reply: ${textOf(text)}`)

  private ask(command: Buffer, wanted: number, done: (text: Buffer) => void): void {
    this.expect(wanted, done)
    this.control.write(command)
  }

  private expect(wanted: number, done: (text: Buffer) => void): void {
    this.onReply = (code, text) => {
      if (code === 120) return
      if (code !== wanted) {
        this.fail(`expected ${wanted}: ${textOf(text)}`)
        return
      }
      this.onReply = this.refuseReply
      done(text)
    }
  }

  private askForTransfer(command: Buffer, done: () => void, onPreliminary: () => void = () => {}): void {
    this.onReply = (code, text) => {
      if (code === 150 || code === 125) {
        onPreliminary()
      } else if (code === 226 || code === 250) {
        this.onReply = this.refuseReply
        done()
      } else {
        this.fail(`expected 226: ${textOf(text)}`)
      }
    }
    this.control.write(command)
  }

  private openData(handlers: ConnectionHandlers): Connection {
    if (this.endpoint === null) throw new Error('a transfer needs enterPassive() first')
    const { endpoint } = this
    this.endpoint = null
    return this.wire.connect(endpoint, handlers, this.control)
  }
}

/** Done when the data connection has ended and the final reply was seen, in either order. */
class Download implements ConnectionHandlers {
  private readonly client: FtpClient
  private readonly bytes: number
  private readonly verify: boolean
  private readonly done: () => void
  private bytesRead = 0
  private isReplied = false
  private isEnded = false

  constructor(client: FtpClient, bytes: number, verify: boolean, done: () => void) {
    this.client = client
    this.bytes = bytes
    this.verify = verify
    this.done = done
  }

  received(_: Connection, bytes: Buffer): void {
    this.discarded()
    if (this.verify) {
      const wrong = bytes.findIndex((byte, i) => byte !== patternByte(this.bytesRead + i))
      if (wrong >= 0) this.client.fail(`byte ${this.bytesRead + wrong} is wrong`)
    }
    this.bytesRead += bytes.length
  }

  discarded(): void {
    if (this.client.marks.firstByteAt === 0) this.client.marks.firstByteAt = performance.now()
  }

  replied(): void {
    this.isReplied = true
    if (this.isEnded) this.done()
  }

  ended(connection: Connection, error: string | null): void {
    const bytes = this.bytesRead + connection.bytesDiscarded
    if (error !== null) this.client.fail(`data connection: ${error}`)
    else if (bytes !== this.bytes) this.client.fail(`received ${bytes} of ${this.bytes} bytes`)
    else this.isEnded = true
    if (this.isEnded && this.isReplied) this.done()
  }
}

const userCommands = new Map<string, Buffer>()

function userCommandOf(user: string): Buffer {
  const command = userCommands.get(user) ?? line(`USER ${user}`)
  userCommands.set(user, command)
  return command
}

/** `220 hello` gives 220; `220-hello`, ` 220 hello` and text within a multi-line reply give 0. */
function finalCodeAt(text: Buffer, at: number): number {
  const code =
    (byteAt(text, at) - digit0) * 100 + (byteAt(text, at + 1) - digit0) * 10 + byteAt(text, at + 2) - digit0
  return code >= 100 && code <= 599 && byteAt(text, at + 3) !== dash ? code : 0
}

/** `227 Entering Passive Mode (10,71,1,1,117,48)` gives `{ address: '10.71.1.1', port: 30000 }`. */
function parsePassiveReply(text: Buffer): Endpoint | null {
  const match = /(\d+),(\d+),(\d+),(\d+),(\d+),(\d+)/.exec(text.toString('latin1', 4))
  if (match === null) return null
  const [, a, b, c, d, high, low] = match
  return { address: `${a}.${b}.${c}.${d}`, port: Number(high) * 256 + Number(low) }
}

function textOf(reply: Buffer): string {
  return JSON.stringify(reply.toString('latin1').trim())
}

function byteAt(text: Buffer, at: number): number {
  return text[at] ?? 0
}

function line(text: string): Buffer {
  return Buffer.from(`${text}\r\n`, 'latin1')
}
