// Peers as nobody wants them: they reset, abort, stall, talk rubbish and come to ports where nobody expects them. What
// they are answered is of no interest here; that nothing of them is left behind is.

import { connect, type Socket } from 'node:net'
import type { MischiefJob, MischiefResult, Target } from './jobs.ts'

/** Longer than any answer takes; whoever is still there then is reset. */
const patienceMs = 4000

/** Begins `perSecond` visits a second, each by the next kind of visitor, and waits for the last to be gone. */
export async function runMischief({ target, seconds, perSecond }: MischiefJob): Promise<MischiefResult> {
  const visits: Promise<void>[] = []
  const total = Math.floor(seconds * perSecond)
  for (let i = 0; i < total; i++) {
    const visitor = visitors[i % visitors.length]
    if (visitor !== undefined) visits.push(new Visit(target).play(visitor))
    await pause(1000 / perSecond)
  }
  await Promise.all(visits)
  return { visits: total, failures: {} }
}

type Visitor = (visit: Visit) => Promise<void>

const visitors: readonly Visitor[] = [
  // Gone before the greeting.
  async (visit) => visit.reset(),
  // Rubbish: a line without end, then control characters.
  async (visit) => {
    visit.say('x'.repeat(100_000))
    visit.say('\r\n\0\0\xff\xf4\xff\xf2ABOR\r\n\r\r\r\n\n\n')
    await visit.quiet()
  },
  // Asks for a data port and leaves politely, rudely, or with the connection half-made.
  async (visit) => {
    await visit.login()
    await visit.ask('EPSV')
    await visit.ask('QUIT')
  },
  async (visit) => {
    await visit.login()
    await visit.ask('PASV')
    visit.reset()
  },
  // Three connections where one is expected, all reset.
  async (visit) => {
    await visit.login()
    const port = await visit.dataPort()
    for (let i = 0; i < 3; i++) visit.connectTo(port)
    await pause(50)
  },
  // A download that ends at its beginning: data reset, control reset, and ABOR.
  async (visit) => {
    await visit.login()
    visit.connectTo(await visit.dataPort())
    visit.say('RETR 50000000.bin\r\n')
    await pause(20)
    visit.reset()
  },
  async (visit) => {
    await visit.login()
    const data = visit.connectTo(await visit.dataPort())
    visit.say('RETR 50000000.bin\r\n')
    await pause(20)
    data.resetAndDestroy()
    await visit.ask('NOOP')
  },
  async (visit) => {
    await visit.login()
    visit.connectTo(await visit.dataPort())
    visit.say('RETR 50000000.bin\r\n')
    await pause(20)
    visit.say('ABOR\r\nQUIT\r\n')
    await visit.quiet()
  },
  // An upload that never sends a byte, and one that stops in the middle.
  async (visit) => {
    await visit.login()
    visit.connectTo(await visit.dataPort())
    visit.say('STOR 1000000.bin\r\n')
    await pause(100)
  },
  async (visit) => {
    await visit.login()
    const data = visit.connectTo(await visit.dataPort())
    visit.say('STOR 1000000.bin\r\n')
    data.write(Buffer.alloc(300_000))
    await pause(50)
    data.resetAndDestroy()
  },
  // Somebody else's address, TLS to a proxy that has none, and everything at once.
  async (visit) => {
    await visit.login()
    await visit.ask('PORT 192,0,2,1,0,22')
    await visit.ask('EPRT |2|2001:db8::1|6000|')
    await visit.ask('AUTH TLS')
  },
  async (visit) => {
    visit.say(`USER anonymous\r\nPASS x\r\n${'PASV\r\n'.repeat(20)}${'NOOP\r\n'.repeat(200)}QUIT\r\n`)
    await visit.quiet()
  },
]

/** One visitor's connections. */
class Visit {
  readonly #target: Target
  readonly #control: Socket
  readonly #sockets: Socket[] = []
  #text = ''
  #wake: () => void = () => undefined

  constructor(target: Target) {
    this.#target = target
    this.#control = this.#open(target.at.port)
    this.#control.on('data', (bytes) => {
      this.#text += bytes.toString('latin1')
      this.#wake()
    })
    this.#control.on('close', () => this.#wake())
  }

  async play(visitor: Visitor): Promise<void> {
    const isOver = visitor(this).catch(() => undefined)
    await Promise.race([isOver, pause(patienceMs)])
    for (const socket of this.#sockets) socket.resetAndDestroy()
  }

  say(text: string): void {
    if (this.#control.writable) this.#control.write(text, 'latin1')
  }

  /** Sends a command and gives its reply, or what came before the end. */
  async ask(command: string): Promise<string> {
    this.#text = ''
    this.say(`${command}\r\n`)
    return this.#reply()
  }

  async login(): Promise<void> {
    await this.#reply()
    await this.ask(`USER ${this.#target.user}`)
    await this.ask('PASS mischief@example.net')
  }

  async dataPort(): Promise<number> {
    const port = /\(\|\|\|(\d+)\|\)/.exec(await this.ask('EPSV'))?.[1]
    if (port === undefined) throw new Error('no data port')
    return Number(port)
  }

  connectTo(port: number): Socket {
    return this.#open(port).resume()
  }

  /** Until the other side has nothing more to say. */
  async quiet(): Promise<void> {
    while (!this.#control.destroyed && !this.#control.readableEnded) await this.#next()
  }

  reset(): void {
    this.#control.resetAndDestroy()
  }

  #open(port: number): Socket {
    const socket = connect({ host: this.#target.at.address, port })
    socket.on('error', () => undefined)
    this.#sockets.push(socket)
    return socket
  }

  async #reply(): Promise<string> {
    while (!/^\d{3} [^\n]*\n/m.test(this.#text) && !this.#control.destroyed) await this.#next()
    return this.#text
  }

  #next(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}
