// A server that behaves as the plan of the session says: `USER s7` names the session, `RETR f0` its first transfer.

import type { Socket } from 'node:net'
import { Arrivals, within } from '../support/peers/patience.ts'
import { Wire } from '../support/peers/wire.ts'
import { DataEnd } from './data-end.ts'
import type { Ground, Listening } from './ground.ts'
import type { TransferPlan } from './plan.ts'
import { move, type Part, pause, type SessionRun, type TransferRun } from './session-run.ts'

/** A server does not wait for ever for a data connection: it says 425. */
const DATA_PATIENCE_MS = 8_000
/** Longer than anything that a client waits for between two commands. */
const COMMAND_PATIENCE_MS = 90_000

/** `find` gives the session of that number. */
export function startServer(
  ground: Ground,
  find: (id: number) => SessionRun | undefined,
): Promise<Listening> {
  return ground.listen('server', { address: ground.server, port: 0 }, (socket) => {
    void new Visit(socket, ground, find).serve()
  })
}

interface Underway {
  readonly run: TransferRun
  /** Resolves when its final reply was said. */
  readonly concluded: Promise<void>
  readonly conclude: () => void
}

class Visit {
  readonly #wire: Wire
  readonly #ground: Ground
  readonly #find: (id: number) => SessionRun | undefined
  #session: SessionRun | undefined
  #door: Listening | null = null
  #arrivals = new Arrivals<Socket>()
  #target: { address: string; port: number } | null = null
  #underway: Underway | null = null
  /** Every transfer so far is over. */
  #settled: Promise<unknown> = Promise.resolve()
  /** Ends the wait for a data connection. */
  #giveUp: () => void = () => undefined

  constructor(socket: Socket, ground: Ground, find: (id: number) => SessionRun | undefined) {
    this.#wire = new Wire(socket)
    this.#ground = ground
    this.#find = find
  }

  async serve(): Promise<void> {
    this.#say('220 Ready.')
    try {
      for (;;) await this.#command(await this.#wire.readLine(COMMAND_PATIENCE_MS))
    } catch (error) {
      // The control connection has ended; what is under way goes on.
      if (this.#wire.ending === null) this.#session?.problems.push(`server: ${messageOf(error)}`)
    }
    this.#wire.halfClose()
    await this.#settled
    this.#close()
  }

  #say(line: string): void {
    void this.#wire.send(`${line}\r\n`)
  }

  async #command(line: string): Promise<void> {
    const [, verb = '', argument = ''] = /([A-Za-z]+) ?(.*)$/.exec(line) ?? []
    switch (verb) {
      case 'USER':
        this.#session = this.#find(Number(argument.slice(1)))
        return this.#say('331 Password, please.')
      case 'PASS':
        return this.#say('230 Logged in.')
      case 'SITE':
        return this.#say(`200 ${argument}`)
      case 'PASV': {
        const port = await this.#listen()
        return this.#say(
          `227 Passive (${this.#ground.server.replaceAll('.', ',')},${port >> 8},${port & 255}).`,
        )
      }
      case 'EPSV':
        return this.#say(`229 Passive (|||${await this.#listen()}|)`)
      case 'PORT': {
        const [a, b, c, d, high = 0, low = 0] = argument.split(',').map(Number)
        return this.#aim(`${a}.${b}.${c}.${d}`, high * 256 + low)
      }
      case 'EPRT': {
        const [, , address = '', port] = argument.split('|')
        return this.#aim(address, Number(port))
      }
      case 'RETR':
      case 'STOR':
      case 'LIST':
      case 'APPE':
      case 'NLST':
        return this.#begin(argument)
      case 'ABOR':
        return this.#abort()
      case 'QUIT':
        this.#say('221 Goodbye.')
        this.#wire.halfClose()
        return
      default:
        this.#say('500 Unknown command.')
    }
  }

  async #listen(): Promise<number> {
    this.#closeDoor()
    this.#target = null
    const arrivals = new Arrivals<Socket>()
    this.#arrivals = arrivals
    const at = { address: this.#ground.server, port: 0 }
    this.#door = await this.#ground.listen('server', at, (socket) => arrivals.add(socket))
    return this.#door.port
  }

  #aim(address: string, port: number): void {
    this.#closeDoor()
    this.#target = { address, port }
    this.#say('200 Noted.')
  }

  #begin(name: string): void {
    const run = this.#session?.transfers[Number(name.slice(1))]
    if (run === undefined) {
      this.#say('550 No such file.')
      return
    }
    run.server.hasBegun = true
    let conclude = () => {}
    const concluded = new Promise<void>((resolve) => {
      conclude = resolve
    })
    this.#underway = { run, concluded, conclude }
    this.#giveUp = () => undefined
    const settled = this.#transfer(run)
      .catch((error: unknown) => {
        run.server.problem = messageOf(error)
        if (run.server.code === null) this.#conclude(run, 451)
      })
      .finally(() => run.server.data?.close())
    this.#settled = Promise.all([this.#settled, settled])
  }

  async #transfer(run: TransferRun): Promise<void> {
    const { plan, server: view } = run
    if (plan.preliminary === 'before') this.#say('150 Here it comes.')
    await pause(plan.serverDelayMs)
    const socket = await this.#dataConnection()
    if (socket === null || view.isAborted) {
      socket?.destroy()
      return this.#conclude(run, view.isAborted ? 426 : 425)
    }
    if (plan.preliminary === 'after') this.#say('150 Here it comes.')
    const data = new DataEnd(socket, plan.isUpload ? run.bytes : new Uint8Array())
    view.data = data
    this.#giveUp = () => abortData(plan, data)
    const part: Part = { run, side: 'server', strikeControl: ({ how }) => this.#loseControl(how) }
    await move(data, part)
    if (view.isAborted) return this.#conclude(run, 426)
    if (plan.isUpload) {
      // What came is stored, and said so.
      if (data.ending === 'fin') data.finish()
      else data.close()
      return this.#conclude(run, data.ending === 'fin' && data.own === 'fin' ? 226 : 426)
    }
    const { fault } = plan
    const isMine = fault.side === 'server'
    if (isMine && fault.kind === 'liar') return this.#conclude(run, 226)
    if (isMine && fault.kind === 'truncate') this.#conclude(run, 451)
    else if (data.own !== 'fin' || data.ending === 'reset') return this.#conclude(run, 426)
    else if (!plan.successWaits) this.#conclude(run, 226)
    const ending = await data.ended()
    if (view.code === null) this.#conclude(run, ending === 'fin' ? 226 : 426)
  }

  #conclude({ server }: TransferRun, code: number): void {
    server.code = code
    this.#underway?.conclude()
    this.#underway = null
    this.#say(`${code} ${code < 300 ? 'Done' : 'Not done'}.`)
  }

  /** Null when none comes, is refused, or is given up. */
  async #dataConnection(): Promise<Socket | null> {
    const givenUp = new Promise<null>((resolve) => {
      this.#giveUp = () => resolve(null)
    })
    const target = this.#target
    const coming =
      target === null
        ? this.#arrivals.next('a data connection at the server', DATA_PATIENCE_MS)
        : this.#ground.connect('server', this.#ground.server, target)
    const inTime = within(coming, { what: 'a data connection at the server', ms: DATA_PATIENCE_MS })
    const socket = await Promise.race([inTime.catch(() => null), givenUp])
    // One that comes after all belongs to nobody.
    if (socket === null) coming.then((late) => late.destroy()).catch(() => undefined)
    return socket
  }

  async #abort(): Promise<void> {
    const underway = this.#underway
    if (underway !== null) {
      if (underway.run.plan.fault.how !== 'finishes') {
        underway.run.server.isAborted = true
        this.#giveUp()
      }
      await underway.concluded
    }
    this.#say('226 Abort done.')
  }

  #loseControl(how: string): void {
    if (how === '421') this.#say('421 Going down.')
    if (how === 'rst') this.#wire.reset()
    else this.#wire.halfClose()
  }

  #closeDoor(): void {
    this.#door?.close()
    this.#door = null
    for (const socket of this.#arrivals.untaken) socket.destroy()
  }

  #close(): void {
    this.#closeDoor()
    this.#wire.close()
    this.#session?.left()
  }
}

function abortData({ fault, isUpload }: TransferPlan, data: DataEnd): void {
  if (fault.how === 'resets') data.reset()
  else if (isUpload) data.close()
  else data.finish()
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
