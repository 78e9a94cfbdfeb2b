// Everything outside one engine, driven by a stream of choices: a client that may say anything, a server that
// answers every command in its own way, a firewall and data connections that succeed and fail. It checks what must
// hold whatever happens, and can be brought to rest to see whether anybody still waits.

import type { Effect, EngineTimer, Event, Side } from '../../src/engine/contract.ts'
import { ControlEngine } from '../../src/engine/control.ts'
import type { EngineOptions } from '../../src/engine/options.ts'
import type { Endpoint } from '../../src/ftp/endpoints.ts'
import type { AskedServer } from './odd-server.ts'
import { type Choose, RandomServer } from './random-server.ts'

type PinholeState = 'opening' | 'open' | 'over'

interface Pinhole {
  readonly from: Side
  readonly channel: number
  readonly hasTarget: boolean
  state: PinholeState
  announced: Endpoint | null
  inKernel: boolean
}

export interface WorldOptions {
  readonly engine: EngineOptions
  readonly server: Endpoint
  readonly choose: Choose
  /** The server never takes longer than a timer. Default: whatever is chosen. */
  readonly isPrompt?: boolean
  /** Default: a server that answers every command in order. */
  readonly upstream?: AskedServer
}

/** Where the world announces pinholes: nobody else says these addresses. */
const announcedTo: Readonly<Record<Side, (pinhole: number) => Endpoint>> = {
  client: (pinhole) => ({ address: '203.0.113.9', port: 40_000 + pinhole }),
  server: (pinhole) => ({ address: '198.51.100.1', port: 30_000 + pinhole }),
}

/** Ports that the server and the client name: 51xxx and 50xxx. */
const clientLines = [
  'NOOP',
  'CWD some/dir',
  'PASV',
  'EPSV',
  'PORT 192,0,2,9,195,80',
  'EPRT |1|192.0.2.9|50001|',
  'RETR a.bin',
  'STOR b.bin',
  'LIST',
  'ABOR',
  'STAT',
  'PORT 6,6,6,6,0,25',
  'EPSV ALL',
  'XYZZY',
  'CWD a\rPORT 6,6,6,6,0,25',
  '\xff\xf4\xff\xf2ABOR',
  'REIN',
  'USER joe',
  'FEAT',
] as const

export class World {
  readonly engine: ControlEngine
  readonly #choose: Choose
  readonly #pinholes = new Map<number, Pinhole>()
  readonly #connecting: { channel: number; side: Side }[] = []
  /** Channels whose last byte the engine waits for. */
  readonly #delivering = new Set<number>()
  readonly #legs = new Map<number, Set<Side>>()
  /** Channels that the engine has closed: what happens to them is nobody's business. */
  readonly #closed = new Set<number>()
  readonly #server: AskedServer
  readonly #isPrompt: boolean
  /** The kernel connects both legs at once, so nothing is reached before a port is announced. */
  readonly #mayForward: boolean
  readonly #timers = new Set<EngineTimer>()
  readonly #paused = new Set<Side>()
  #upstream = ''
  #toClient = ''
  #closeCount = 0
  #sendCount = 0
  readonly #log: string[] = []

  constructor({ engine, server, choose, isPrompt = false, upstream }: WorldOptions) {
    this.#choose = choose
    this.#isPrompt = isPrompt
    this.#mayForward = !engine.reachesFirst
    this.#server = upstream ?? new RandomServer(choose)
    this.engine = new ControlEngine(engine)
    this.happen({ type: 'upstreamConnected', server, knows: [], manner: null })
    this.#serverSays('220 Ready.\r\n')
    for (const line of ['USER joe', 'PASS secret']) {
      this.#clientSays(`${line}\r\n`)
      this.rest()
    }
  }

  get isClosed(): boolean {
    return this.#closeCount > 0
  }

  isPaused(side: Side): boolean {
    return this.#paused.has(side)
  }

  /** Everything that was sent to the client so far. */
  get toClient(): string {
    return this.#toClient
  }

  /** How many texts went to either side so far. */
  get passedOn(): number {
    return this.#sendCount
  }

  /** What happened, one line an event, for the message of a failure. */
  get history(): string {
    return this.#log.join('\n')
  }

  /** One thing happens, whichever is chosen. */
  step(): void {
    const actions = this.#possible()
    actions[this.#choose(actions.length)]?.()
  }

  /** One thing happens elsewhere, while the client waits. False when nothing is under way. */
  stepElsewhere(): boolean {
    const actions = [...this.#serverActions(), ...this.#dataActions(), ...this.#timerActions()]
    actions[this.#choose(actions.length)]?.()
    return actions.length > 0
  }

  /** The client says a line and nothing more. */
  say(line: string): void {
    this.#clientSays(`${line}\r\n`)
  }

  /** Everything that is under way comes to its end: replies, pinholes, connections, timers. */
  rest(): void {
    for (let steps = 0; !this.isClosed; steps += 1) {
      const [next] = [...this.#serverActions(), ...this.#dataActions(), ...this.#timerActions()]
      if (next === undefined) return
      if (steps > 10_000) throw new Error('the world does not come to rest')
      next()
    }
  }

  /** The server hangs up, and an answer that waits for something has had its time. */
  cut(): void {
    const endings: readonly Event[] = [
      { type: 'ended', side: 'server', isGone: false },
      { type: 'timerFired', timer: 'hold' },
      { type: 'timerFired', timer: 'idle' },
    ]
    for (const event of endings) if (!this.isClosed) this.happen(event)
  }

  /** Hands one event to the engine, carries its effects out and checks them. */
  happen(event: Event): void {
    this.#log.push(JSON.stringify(event))
    const effects = this.engine.handle(event)
    if (this.isClosed && effects.length > 0) this.#fail('effects after the session was closed')
    for (const effect of effects) this.#carryOut(effect)
  }

  /** What must be true when the session is over. */
  checkEnd(): void {
    for (const [id, { state }] of this.#pinholes) {
      if (state !== 'over') this.#fail(`pinhole ${id} was left ${state}`)
    }
    if (this.#closeCount !== 1) this.#fail(`closed ${this.#closeCount} times`)
  }

  #possible(): (() => void)[] {
    const actions = [...this.#serverActions(), ...this.#dataActions(), ...this.#timerActions()]
    if (!this.#paused.has('client')) actions.push(() => this.#clientSaysSomething())
    return actions
  }

  #clientSaysSomething(): void {
    const line = `${clientLines[this.#choose(clientLines.length)]}\r\n`
    const cut = this.#choose(line.length)
    this.#clientSays(line.slice(0, cut))
    this.#clientSays(line.slice(cut))
  }

  #clientSays(text: string): void {
    if (text !== '' && !this.isClosed) this.happen({ type: 'received', side: 'client', text })
  }

  #serverSays(text: string): void {
    if (!this.isClosed) this.happen({ type: 'received', side: 'server', text })
  }

  #serverActions(): (() => void)[] {
    if (this.#server.isIdle || this.#paused.has('server')) return []
    return [() => this.#serverSays(this.#server.answer())]
  }

  // The firewall and the data connections.

  #dataActions(): (() => void)[] {
    const actions: (() => void)[] = []
    for (const [id, pinhole] of this.#pinholes) {
      if (pinhole.state === 'opening') actions.push(() => this.#settlePinhole(id, pinhole))
      if (pinhole.state === 'open') actions.push(() => this.#usePinhole(id, pinhole))
    }
    for (const leg of this.#connecting) actions.push(() => this.#settleLeg(leg))
    for (const [channel, sides] of this.#legs) {
      if (sides.size === 2) actions.push(() => this.#endChannel(channel))
    }
    for (const channel of this.#delivering) actions.push(() => this.#deliver(channel))
    return actions
  }

  #settlePinhole(id: number, pinhole: Pinhole): void {
    if (this.#choose(8) === 0) {
      pinhole.state = 'over'
      this.happen({ type: 'pinholeFailed', pinhole: id, reason: 'exhausted' })
      return
    }
    pinhole.state = 'open'
    pinhole.announced = announcedTo[pinhole.from](id)
    pinhole.inKernel = pinhole.hasTarget && this.#mayForward && this.#choose(3) === 0
    const { announced: announce, inKernel } = pinhole
    this.happen({ type: 'pinholeOpened', pinhole: id, announce, inKernel })
  }

  #usePinhole(id: number, pinhole: Pinhole): void {
    pinhole.state = 'over'
    const { channel, from, inKernel } = pinhole
    if (this.#choose(4) === 0) {
      this.happen({ type: 'pinholeExpired', pinhole: id })
      return
    }
    // The kernel connects both legs at once.
    if (inKernel) this.#connected(channel, from === 'client' ? 'server' : 'client')
    this.#connected(channel, from)
  }

  #settleLeg(leg: { channel: number; side: Side }): void {
    this.#connecting.splice(this.#connecting.indexOf(leg), 1)
    const { channel, side } = leg
    if (this.#choose(4) === 0) this.happen({ type: 'legFailed', channel, side, reason: 'refused' })
    else this.#connected(channel, side)
  }

  #connected(channel: number, side: Side): void {
    const sides = this.#legs.get(channel) ?? new Set<Side>()
    this.#legs.set(channel, sides)
    if (sides.has(side)) this.#fail(`the ${side} leg of channel ${channel} was connected twice`)
    sides.add(side)
    this.happen({ type: 'legConnected', channel, side })
  }

  #deliver(channel: number): void {
    this.#delivering.delete(channel)
    this.happen({ type: 'delivered', channel })
  }

  #endChannel(channel: number): void {
    this.#legs.delete(channel)
    this.#delivering.delete(channel)
    this.happen({ type: 'channelEnded', channel })
  }

  #timerActions(): (() => void)[] {
    if (this.#isPrompt && !this.#server.isIdle) return []
    return [...this.#timers].map((timer) => () => {
      this.#timers.delete(timer)
      this.happen({ type: 'timerFired', timer })
    })
  }

  // What the engine wants done.

  #carryOut(effect: Effect): void {
    switch (effect.type) {
      case 'send':
        this.#sendCount += 1
        if (effect.side === 'client') this.#sentToClient(effect.text)
        else this.#sentToServer(effect.text)
        break
      case 'openPinhole': {
        const { pinhole, channel, from, target } = effect.request
        const hasTarget = target !== null
        if (this.#pinholes.has(pinhole)) this.#fail(`pinhole ${pinhole} was asked for twice`)
        this.#pinholes.set(pinhole, {
          from,
          channel,
          hasTarget,
          state: 'opening',
          announced: null,
          inKernel: false,
        })
        break
      }
      case 'closePinhole': {
        const pinhole = this.#pinholes.get(effect.pinhole)
        if (pinhole === undefined || pinhole.state === 'over') {
          this.#fail(`pinhole ${effect.pinhole} was closed and is ${pinhole?.state ?? 'unknown'}`)
        } else {
          pinhole.state = 'over'
        }
        break
      }
      case 'connectLeg':
        this.#checkTarget(effect.side, effect.endpoint)
        this.#connecting.push({ channel: effect.channel, side: effect.side })
        break
      case 'awaitDelivery':
        this.#delivering.add(effect.channel)
        break
      case 'closeChannel':
        this.#closeChannel(effect.channel)
        break
      case 'pauseReading':
        if (this.#paused.has(effect.side)) this.#fail(`${effect.side} was paused twice`)
        this.#paused.add(effect.side)
        break
      case 'resumeReading':
        if (!this.#paused.delete(effect.side)) this.#fail(`${effect.side} was resumed and did read`)
        break
      case 'setTimer':
        this.#timers.add(effect.timer)
        break
      case 'clearTimer':
        this.#timers.delete(effect.timer)
        break
      case 'close':
        this.#closeCount += 1
        break
      default:
        break
    }
  }

  #closeChannel(channel: number): void {
    if (this.#closed.has(channel) && !this.#legs.has(channel))
      this.#fail(`channel ${channel} was closed twice`)
    this.#closed.add(channel)
    this.#delivering.delete(channel)
    const connecting = this.#connecting.filter((leg) => leg.channel !== channel)
    this.#connecting.splice(0, this.#connecting.length, ...connecting)
    if (this.#legs.get(channel)?.size !== 2) this.#legs.delete(channel)
  }

  /** Nothing is announced to a client before its pinhole is open. */
  #sentToClient(text: string): void {
    this.#toClient += text
    for (const [, high, low] of text.matchAll(/203,0,113,9,(\d+),(\d+)/g)) {
      this.#checkAnnounced('client', Number(high) * 256 + Number(low))
    }
    for (const [, port] of text.matchAll(/\|\|\|(4\d{4})\|/g)) this.#checkAnnounced('client', Number(port))
  }

  /** Whole lines without control bytes, and no endpoint but announced ones. */
  #sentToServer(text: string): void {
    this.#upstream += text
    const lines = this.#upstream.split('\r\n')
    this.#upstream = lines.pop() ?? ''
    for (const line of lines) {
      if (/[\x00-\x1f\x7f]/.test(line)) this.#fail(`control bytes went upstream: ${JSON.stringify(line)}`)
      const [verb = '', argument = ''] = line.split(' ')
      if (verb === 'PORT') {
        const [high, low] = argument.split(',').slice(4).map(Number)
        if (!argument.startsWith('198,51,100,1,')) this.#fail(`${line} is not ours`)
        this.#checkAnnounced('server', (high ?? 0) * 256 + (low ?? 0))
      } else if (verb === 'EPRT') {
        if (!argument.startsWith('|1|198.51.100.1|')) this.#fail(`${line} is not ours`)
        this.#checkAnnounced('server', Number(argument.split('|')[3]))
      }
      this.#server.asked(line)
    }
    if (this.#upstream !== '') this.#fail(`half a line went upstream: ${this.#upstream}`)
  }

  #checkAnnounced(side: Side, port: number): void {
    for (const { from, state, announced } of this.#pinholes.values()) {
      if (from === side && state === 'open' && announced?.port === port) return
    }
    this.#fail(`port ${port} was announced to the ${side} and is not open`)
  }

  /** Only the control peers are ever connected to, on ports that they named. */
  #checkTarget(side: Side, { address, port }: Endpoint): void {
    const isRight =
      side === 'client'
        ? address === '192.0.2.9' && (port === 50_000 || port === 50_001)
        : address === '198.51.100.7' && port >= 51_000 && port < 51_400
    if (!isRight) this.#fail(`connected to the ${side} at ${address}:${port}`)
  }

  #fail(message: string): never {
    throw new Error(`${message}\n${this.history}`)
  }
}
