// A session whose data the kernel forwards: the kernel says how much it has carried, and may never say that it was all.

import { afterEach, describe, expect, it, vi } from 'vitest'
import { loadConfig } from '../../../src/config/load.ts'
import { steadyClock } from '../../../src/kernel/steady-clock.ts'
import { Advertiser } from '../../../src/net/session/advertise.ts'
import { Session } from '../../../src/net/session/session.ts'
import { Dialer } from '../../../src/net/upstream/dial.ts'
import { Names } from '../../../src/net/upstream/names.ts'
import { Upstreams } from '../../../src/net/upstream/upstreams.ts'
import type { ForwardTotals, PinholeBackend, PinholeEvents } from '../../../src/pinhole/backend.ts'
import { listenOnLoopback, tcp } from '../../support/connections.ts'
import { ftpScript } from '../../support/peers/ftp-script.ts'
import { ScriptedClient } from '../../support/peers/scripted-client.ts'
import { startScriptedServer } from '../../support/peers/scripted-server.ts'
import { observe } from '../observe/fixture.ts'

const SECOND = 1_000
const IDLE = 60 * SECOND
/** The kernel is asked no more often. */
const LOOK = 5 * SECOND

const closers: (() => void)[] = []
afterEach(() => {
  vi.restoreAllMocks()
  for (const close of closers.splice(0).reverse()) close()
})

/** Holes that the kernel would forward; what it has carried is what the test says. */
class FakeKernel implements PinholeBackend {
  readonly name = 'nftables'
  carried: ForwardTotals | null = { fromPeerBytes: 1_000, toPeerBytes: 100 }
  /** How often it was asked. */
  looks = 0
  /** How often a forwarded connection was given up. */
  givenUp = 0
  #events: PinholeEvents | null = null
  #isForwarding = false

  open: PinholeBackend['open'] = (_request, events, opened) => {
    this.#events = events
    opened(null, { at: { address: '127.0.0.1', port: 30_000 }, inKernel: true })
    return {
      close: () => {
        if (!this.#isForwarding) return
        this.#isForwarding = false
        this.givenUp += 1
        events.forwardEnded(this.carried)
      },
      prolong: () => undefined,
    }
  }

  /** The expected peer comes. */
  forward(): void {
    this.#isForwarding = true
    this.#events?.forwarded(() => {
      this.looks += 1
      return this.carried
    })
  }

  async closeAll(): Promise<void> {}

  use() {
    return []
  }
}

/** A session in the middle of a download, which the kernel forwards. */
async function download({ idleMs = IDLE, forwards = true } = {}) {
  const server = await startScriptedServer({
    script: ftpScript({ verbs: { RETR: (visit) => visit.reply('150 Here it comes.') } }),
  })
  const names = new Names({ log: () => undefined })
  const dialer = new Dialer({ tcp, connectAs: null })
  const advertiser = new Advertiser([], names)
  const kernel = new FakeKernel()
  const { config } = loadConfig({ flags: { upstream: 'localhost', admin: 'off' }, environment: {} })
  const { policy, limits } = config
  const { observer, linesOf } = observe()
  const listener = await listenOnLoopback()
  const client = await ScriptedClient.connect({ address: '127.0.0.1', port: listener.port })
  let ends = 0
  const session = new Session({
    setting: {
      upstreamMode: 'client',
      upstreamVerbs: [],
      upstreamKeepAliveMs: null,
      tls: null,
      passthrough: null,
      manners: new Map(),
      policy: { ...policy, maxLineBytes: limits.lineBytes, maxRefusals: limits.refusals },
      limits: { ...limits, idleMs },
      pinholeTimeoutMs: IDLE,
      trace: null,
      backend: kernel,
      dataPeers: { client: [], server: [] },
      dialer,
      activeSourcePort: 0,
      source: 'proxy',
      pool: null,
      destinations: null,
      upstreams: new Upstreams({ names, dialer, isOwnListener: () => false, connectMs: 20 * SECOND }),
      advertise: { client: advertiser, server: advertiser },
      announceOffset: { client: 0, server: 0 },
    },
    connection: await listener.next,
    target: { host: server.address, port: server.port },
    interceptedDestination: null,
    translation: null,
    reachedAt: null,
    introduction: null,
    observer: observer.sessionOpened({ listener: 'edge', client: { address: '127.0.0.1', port: 40_001 } }),
    ended: () => {
      ends += 1
    },
  })
  closers.push(
    () => server.close(),
    () => listener.close(),
    () => client.close(),
    () => session.destroy(),
  )
  await client.login()
  await client.passive()
  expect((await client.command('RETR 1000')).code).toBe(150)
  if (forwards) kernel.forward()
  let nowMs = performance.now()
  /** Sweeps once a second, as the registry does, until so much time has passed. */
  const pass = (ms: number, eachSecond: () => void = () => undefined) => {
    for (const untilMs = nowMs + ms; nowMs < untilMs; ) {
      nowMs += SECOND
      eachSecond()
      session.sweep(nowMs)
    }
  }
  const uploaded = () => observer.status().listeners[0]?.upload_bytes
  return { server, client, session, kernel, pass, linesOf, uploaded, ends: () => ends }
}

describe('a session whose data the kernel forwards', () => {
  it('is not idle as long as the kernel carries something, which it is not asked every second', async () => {
    const { kernel, pass, client } = await download()
    let second = 0
    pass(20 * IDLE, () => {
      second += 1
      // Less often than the kernel is asked, and more often than a session becomes idle.
      if (second % 40 === 0) kernel.carried = { fromPeerBytes: 1_000 + second, toPeerBytes: 100 }
    })
    expect(kernel.givenUp).toBe(0)
    expect(kernel.looks).toBeLessThanOrEqual((20 * IDLE) / LOOK + 1)
    expect(client.wire.text).toBe('')
  })

  it('is given up by and by when both ends have vanished without a word: 421, and nobody waits for the kernel', async () => {
    const { kernel, pass, client, linesOf, ends } = await download()
    pass(IDLE)
    expect(kernel.givenUp).toBe(0)
    pass(2 * LOOK)
    expect(kernel.givenUp).toBe(1)
    expect((await client.reply()).code).toBe(421)
    client.close()
    await expect.poll(ends).toBe(1)
    expect(linesOf('session.close')).toMatchObject([{ reason: 'idle' }])
    expect(linesOf('transfer')).toMatchObject([{ path: 'kernel' }])
  })

  it('is never idle where the kernel does not count', async () => {
    const { kernel, pass } = await download()
    kernel.carried = null
    pass(20 * IDLE)
    expect(kernel.givenUp).toBe(0)
  })
})

describe('a session that is over while the kernel still forwards', () => {
  it('waits a minute for its last word, whatever it carries, then counts what there is', async () => {
    const { kernel, pass, client, server, linesOf, ends } = await download({ idleMs: 10 * IDLE })
    client.wire.reset()
    await server.visits[0]?.wire.ended()
    let carried = 1_000
    const flows = () => {
      carried += 1
      kernel.carried = { fromPeerBytes: carried, toPeerBytes: 100 }
    }
    pass(59 * SECOND, flows)
    expect(kernel.givenUp).toBe(0)
    pass(30 * SECOND, flows)
    expect(kernel.givenUp).toBe(1)
    await expect.poll(ends).toBe(1)
    expect(linesOf('session.close')).toMatchObject([{ reason: 'client' }])
  })

  it('waits three seconds where the process is about to end', async () => {
    const { kernel, pass, client, server, session, ends } = await download({ idleMs: 10 * IDLE })
    session.drain()
    client.wire.reset()
    await server.visits[0]?.wire.ended()
    pass(2 * SECOND)
    expect(kernel.givenUp).toBe(0)
    pass(30 * SECOND)
    expect(kernel.givenUp).toBe(1)
    await expect.poll(ends).toBe(1)
  })
})

describe('a pinhole that nobody came to when its session ended', () => {
  it.each([
    [1, { reason: 'session_end' }],
    [6, { reason: 'abandoned', ended_by: 'session_end' }],
  ])('after %i s is closed as %j', async (seconds, end) => {
    const { client, linesOf, ends } = await download({ forwards: false })
    const { now } = steadyClock
    vi.spyOn(steadyClock, 'now').mockImplementation(() => now() + seconds * SECOND)
    client.wire.reset()
    await expect.poll(ends).toBe(1)
    expect(linesOf('pinhole.close')).toMatchObject([end])
  })
})

describe('the bytes of a transfer that the kernel forwards', () => {
  it('are told while it runs, and are those seen last where its end is not counted', async () => {
    const { kernel, pass, linesOf, client, server, ends, uploaded } = await download()
    pass(LOOK + SECOND)
    expect(uploaded()).toBe(1_000)
    kernel.carried = { fromPeerBytes: 5_000, toPeerBytes: 100 }
    pass(LOOK + SECOND)
    expect(uploaded()).toBe(5_000)
    kernel.carried = null
    client.wire.reset()
    await server.visits[0]?.wire.ended()
    pass(2 * IDLE)
    await expect.poll(ends).toBe(1)
    expect(uploaded()).toBe(5_000)
    expect(linesOf('session.close')).toMatchObject([{ upload_bytes: 5_000, download_bytes: 100 }])
  })
})
