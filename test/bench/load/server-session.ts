import type { Connection, ConnectionHandlers, Listener } from '../wire/wire.ts'
import { ignoreEverything } from '../wire/wire.ts'
import type { PassivePool } from './passive-pool.ts'

/** A transfer that was asked for: `RETR 1024.bin` is `{ direction: 'down', bytes: 1024 }`. */
interface Transfer {
  readonly direction: 'down' | 'up'
  readonly bytes: number
}

const done = line('200 done')

/** Commands whose answer never changes. */
const answers: Readonly<Record<string, Buffer>> = {
  USER: line('331 any password'),
  PASS: line('230 logged in'),
  TYPE: done,
  MODE: done,
  STRU: done,
  NOOP: done,
  OPTS: done,
  ALLO: done,
  PBSZ: line('200 PBSZ=0'),
  PROT: done,
  CWD: line('250 done'),
  PWD: line('257 "/" is the current directory'),
  SYST: line('215 UNIX Type: L8'),
  FEAT: Buffer.from('211-Features:\r\n EPSV\r\n211 End\r\n', 'latin1'),
}

const replies = {
  banner: line('220 ready'),
  opening: line('150 opening'),
  complete: line('226 complete'),
  aborted: line('426 data connection lost'),
  wrongSize: line('451 received another number of bytes than the name says'),
  noPassive: line('425 use PASV first'),
  noPort: line('425 no passive port is free'),
  noFile: line('550 names are <bytes>.bin'),
  unknown: line('502 not implemented'),
  goodbye: line('221 goodbye'),
}

/** From this size on the receiving end is woken for 256 kB at a time. */
const bulkBytes = 1 << 20

export class ServerSession implements ConnectionHandlers {
  private readonly control: Connection
  private readonly pool: PassivePool
  private readonly announced: string
  private partial = ''
  private listener: Listener | null = null
  private transfer: Transfer | null = null
  private data: Connection | null = null
  /** Bytes that arrived before the command that explains them. */
  private earlyBytes = 0
  private endedEarly = false

  constructor(control: Connection, pool: PassivePool, announced: string) {
    this.control = control
    this.pool = pool
    this.announced = announced
    control.handlers = this
    control.write(replies.banner)
  }

  received(_: Connection, bytes: Buffer): void {
    const text = this.partial + bytes.toString('latin1')
    let start = 0
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
      this.obey(text.slice(start, end).trimEnd())
      start = end + 1
    }
    this.partial = start === text.length ? '' : text.slice(start)
  }

  ended(): void {
    this.data?.close()
    this.dropListener()
  }

  private obey(command: string): void {
    const verb = command.slice(0, 4).trimEnd().toUpperCase()
    const answer = answers[verb]
    if (answer !== undefined) this.control.write(answer)
    else if (verb === 'PASV') this.enterPassive(false)
    else if (verb === 'EPSV') this.enterPassive(true)
    else if (verb === 'RETR') this.begin('down', command)
    else if (verb === 'STOR') this.begin('up', command)
    else if (verb === 'QUIT') this.quit()
    else this.control.write(replies.unknown)
  }

  private quit(): void {
    this.control.write(replies.goodbye)
    this.ended()
    this.control.close()
  }

  private enterPassive(extended: boolean): void {
    this.data?.close()
    this.data = null
    this.dropListener()
    this.pool.take((outcome) => {
      if (outcome instanceof Error) this.control.write(replies.noPort)
      else this.announce(outcome, extended)
    })
  }

  private announce(listener: Listener, extended: boolean): void {
    this.listener = listener
    listener.onConnection = (connection) => this.accepted(connection)
    const { port } = listener
    const text = extended
      ? `229 Entering Extended Passive Mode (|||${port}|)`
      : `227 Entering Passive Mode (${this.announced},${port >> 8},${port & 0xff})`
    this.control.write(line(text))
  }

  private accepted(connection: Connection): void {
    if (this.listener !== null) this.pool.giveBack(this.listener)
    this.listener = null
    this.data = connection
    this.earlyBytes = 0
    this.endedEarly = false
    connection.handlers = {
      received: (_, bytes) => {
        this.earlyBytes += bytes.length
      },
      pumped: () => this.finish(replies.complete),
      ended: (ended) => this.dataEnded(ended),
    }
    if (this.transfer !== null) this.startMoving(connection, this.transfer)
  }

  private begin(direction: Transfer['direction'], command: string): void {
    const size = /(\d+)\.bin$/.exec(command)?.[1]
    if (size === undefined) {
      this.control.write(replies.noFile)
    } else if (this.listener === null && this.data === null) {
      this.control.write(replies.noPassive)
    } else {
      this.transfer = { direction, bytes: Number(size) }
      this.control.write(replies.opening)
      if (this.data !== null) this.startMoving(this.data, this.transfer)
    }
  }

  private startMoving(data: Connection, { direction, bytes }: Transfer): void {
    if (direction === 'down') data.pump(bytes)
    else if (this.endedEarly) this.dataEnded(data)
    else data.discard(bytes >= bulkBytes ? bulkBytes / 4 : 1)
  }

  private dataEnded(data: Connection): void {
    this.endedEarly = true
    if (this.transfer === null) return
    const { direction, bytes } = this.transfer
    if (direction === 'down') this.finish(replies.aborted)
    else this.finish(this.earlyBytes + data.bytesDiscarded === bytes ? replies.complete : replies.wrongSize)
  }

  private finish(reply: Buffer): void {
    if (this.data !== null) {
      this.data.handlers = ignoreEverything
      this.data.close()
    }
    this.data = null
    this.transfer = null
    this.control.write(reply)
  }

  private dropListener(): void {
    this.listener?.close()
    this.listener = null
  }
}

function line(text: string): Buffer {
  return Buffer.from(`${text}\r\n`, 'latin1')
}
