import type { Endpoint } from '../../../../src/ftp/endpoints.ts'
import type { Family } from '../../../support/netns.ts'
import { announced } from '../../../support/peers/scripted-client.ts'
import type { Wire, WireReply } from '../../../support/peers/wire.ts'
import type { Place } from '../../../support/programs.ts'
import { account } from '../../../support/servers/server.ts'
import { connectWire } from './sockets.ts'

/** A client with a data channel set up. */
export interface Waiting {
  readonly client: Dialogue
  /** Where its data connection is expected. */
  readonly hole: Endpoint
}

/** Fetches the sample of 64 KiB and gives the bytes that came. */
export async function downloads({ client, hole }: Waiting): Promise<number> {
  void client.wire.send('RETR files/64KiB.bin\r\n')
  const data = await client.connectData(hole)
  await client.expect(150)
  const { byteCount } = await data.collect()
  data.halfClose()
  await client.expect(226)
  return byteCount
}

/** A client that speaks FTP by hand from a host of the lab. */
export class Dialogue {
  readonly wire: Wire
  readonly #place: Place
  readonly #server: Endpoint

  private constructor(wire: Wire, place: Place, server: Endpoint) {
    this.wire = wire
    this.#place = place
    this.#server = server
  }

  /** Connects, logs in and asks for binary transfers. */
  static async begin(place: Place, server: Endpoint): Promise<Dialogue> {
    const dialogue = new Dialogue(await connectWire({ in: place, to: server }), place, server)
    await dialogue.expect(220)
    await dialogue.say(`USER ${account.user}`, 331)
    await dialogue.say(`PASS ${account.password}`, 230)
    await dialogue.say('TYPE I', 200)
    return dialogue
  }

  /** Sends a line and reads its reply; throws when that has another code. */
  say(line: string, code: number): Promise<WireReply> {
    void this.wire.send(`${line}\r\n`)
    return this.expect(code, line)
  }

  async expect(code: number, after = 'connecting'): Promise<WireReply> {
    const reply = await this.wire.readReply()
    if (reply.code !== code) throw new Error(`after ${after}: ${reply.line}, wanted ${code}`)
    return reply
  }

  /** Where PASV or EPSV say that the data port is. */
  async passive(family: Family): Promise<Endpoint> {
    const verb = family === 'ipv4' ? 'PASV' : 'EPSV'
    const { line } = await this.say(verb, family === 'ipv4' ? 227 : 229)
    const endpoint = announced(line, this.#server.address)
    if (endpoint === null) throw new Error(`${verb} was answered ${line}`)
    return endpoint
  }

  /** Opens a data connection from the client's host. */
  connectData(to: Endpoint): Promise<Wire> {
    return connectWire({ in: this.#place, to })
  }

  close(): void {
    this.wire.close()
  }
}
