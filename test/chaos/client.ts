// A client that does what the plan of its session says, and writes down what it sees.

import type { Socket } from 'node:net'
import { Arrivals, within } from '../support/peers/patience.ts'
import { announced } from '../support/peers/scripted-client.ts'
import type { Endpoint } from '../support/peers/scripted-server.ts'
import { Wire } from '../support/peers/wire.ts'
import { DataEnd } from './data-end.ts'
import type { Ground, Listening } from './ground.ts'
import { type Fault, losesControl } from './plan.ts'
import { messageOf } from './server.ts'
import { move, type Part, pause, type SessionRun, type TransferRun } from './session-run.ts'

/** Runs a session to its end, at the client and at the server. */
export async function runClient(session: SessionRun, proxy: Endpoint, ground: Ground): Promise<void> {
  const from = ground.client(session.plan.host)
  const client = new Client(new Wire(await ground.connect('client', from, proxy)), { from, proxy, ground })
  try {
    await client.logIn(session.id)
    for (const [index, run] of session.transfers.entries()) {
      await client.transfer(run, `f${index}`)
      if (client.isAlone || run.client.problem !== null) break
      await client.isHeard(index)
    }
    await client.leave(session.plan.leaves)
    await within(session.visited, { what: 'the end of the session at the server' })
  } catch (error) {
    session.problems.push(`client: ${messageOf(error)}`)
  } finally {
    client.close()
  }
}

interface Surroundings {
  readonly from: string
  readonly proxy: Endpoint
  readonly ground: Ground
}

/** Gives the data connection; null when there is none. `giveUp` ends the wait. */
type Opening = (giveUp: Promise<unknown>) => Promise<Socket | null>

class Client {
  readonly #wire: Wire
  readonly #surroundings: Surroundings
  #door: Listening | null = null
  #arrivals = new Arrivals<Socket>()
  /** The control connection has ended. */
  isAlone = false

  constructor(wire: Wire, surroundings: Surroundings) {
    this.#wire = wire
    this.#surroundings = surroundings
  }

  async logIn(id: number): Promise<void> {
    await this.#expect(220)
    this.#say(`USER s${id}`)
    await this.#expect(331)
    this.#say('PASS secret')
    await this.#expect(230)
  }

  /** The control connection works, and answers are not a reply late. */
  async isHeard(index: number): Promise<void> {
    this.#say(`SITE t${index}`)
    const { line } = await this.#wire.readReply()
    if (line !== `200 t${index}`) throw new Error(`SITE t${index} was answered ${line}`)
  }

  async leave(how: 'quit' | 'fin' | 'rst'): Promise<void> {
    if (this.isAlone) return
    if (how === 'rst') return this.#wire.reset()
    if (how === 'quit') {
      this.#say('QUIT')
      await this.#expect(221)
    }
    this.#wire.halfClose()
    await this.#wire.ended()
  }

  close(): void {
    this.#closeDoor()
    this.#wire.close()
  }

  #closeDoor(): void {
    this.#door?.close()
    this.#door = null
    for (const socket of this.#arrivals.untaken) socket.destroy()
  }

  /** From the announcement to the last reply and the end of the data connection. */
  async transfer(run: TransferRun, name: string): Promise<void> {
    const { plan, client: view } = run
    try {
      const opening = await this.#announce(run)
      if (opening === null) return
      view.hasBegun = true
      this.#say(`${plan.command} ${name}`)
      const isEarly = plan.fault.kind === 'abort' && plan.fault.at === 0 && plan.fault.resets
      if (isEarly) {
        this.#say('ABOR')
        this.#closeDoor()
      }
      const replied = this.#replied(plan.fault.kind === 'abort' ? 2 : 1)
      const failed = replied.then(({ code }) => {
        view.code = code
        if (code === null || code >= 400) return
        return new Promise<never>(() => undefined)
      })
      failed.catch(() => undefined)
      const socket = isEarly || plan.fault.kind === 'absent' ? null : await opening(failed)
      if (socket !== null) await this.#move(run, socket, failed)
      await replied
    } catch (error) {
      view.problem = messageOf(error)
    } finally {
      // 421 is said behind a client that does not come for its data, too.
      if (losesControl(plan) || view.code === 421) this.isAlone = true
      view.data?.close()
      this.#closeDoor()
    }
  }

  async #move(run: TransferRun, socket: Socket, failed: Promise<unknown>): Promise<void> {
    const { plan, client: view } = run
    const data = new DataEnd(socket, plan.isUpload ? new Uint8Array() : run.bytes)
    view.data = data
    // Whoever hears of a failure closes, at once or behind what still comes; half a file does not end by FIN.
    const leave = () => (plan.isUpload ? data.reset() : data.close())
    if (!plan.isPatient) failed.then(leave, leave)
    const part: Part = { run, side: 'client', strikeControl: (fault) => this.#strike(fault) }
    await move(data, part)
    await data.ended()
    data.finish()
  }

  /** PASV, EPSV, PORT or EPRT; null when it was refused. */
  async #announce({ plan, client: view }: TransferRun): Promise<Opening | null> {
    const { from, proxy, ground } = this.#surroundings
    const isPassive = plan.verb === 'PASV' || plan.verb === 'EPSV'
    const arrivals = new Arrivals<Socket>()
    this.#arrivals = arrivals
    if (isPassive) {
      this.#say(plan.verb)
    } else {
      const accepted = (socket: Socket) =>
        this.#door === null ? void socket.destroy() : arrivals.add(socket)
      this.#door = await ground.listen('client', { address: from, port: 0 }, accepted)
      const { port } = this.#door
      if (plan.fault.kind === 'refused') this.#door.close()
      const digits = `${from.replaceAll('.', ',')},${port >> 8},${port & 255}`
      this.#say(plan.verb === 'PORT' ? `PORT ${digits}` : `EPRT |1|${from}|${port}|`)
    }
    const reply = await this.#wire.readReply()
    const endpoint = announced(reply.line, proxy.address)
    if (reply.code !== (isPassive ? (plan.verb === 'PASV' ? 227 : 229) : 200)) {
      view.code = reply.code
      return null
    }
    return async (giveUp) => {
      if (endpoint === null) {
        const none = giveUp.then(() => null)
        return Promise.race([arrivals.next('a data connection at the client'), none])
      }
      await pause(plan.clientDelayMs)
      return ground.connect('client', from, endpoint).catch(() => null)
    }
  }

  /** The code of the transfer's final reply, once all that is due has come; null when the control connection ended. */
  async #replied(due: number): Promise<{ readonly code: number | null }> {
    const codes: number[] = []
    try {
      while (codes.length < due) {
        const { code } = await this.#wire.readReply()
        if (code >= 200) codes.push(code)
      }
    } catch (error) {
      if (this.#wire.ending === null) throw error
      this.isAlone = true
    }
    return { code: codes[0] ?? null }
  }

  #strike({ kind, how }: Fault): void {
    if (kind === 'abort') {
      this.#say('ABOR')
      return
    }
    this.isAlone = true
    if (how === 'rst') this.#wire.reset()
    else this.#wire.halfClose()
  }

  #say(line: string): void {
    void this.#wire.send(`${line}\r\n`)
  }

  async #expect(code: number): Promise<void> {
    const reply = await this.#wire.readReply()
    if (reply.code !== code) throw new Error(`${code} was due, and ${reply.line} came`)
  }
}
