// One test's own small internet on loopback: the proxy in this process, scripted servers behind it, scripted clients
// before it. At the end of the test everything is closed and the proxy must have forgotten all of it.

import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { test as base, expect } from 'vitest'
import { type BalancerPlan, startBalancer } from '../support/peers/balancer.ts'
import {
  type ForwardProxy,
  type ForwardProxyPlan,
  startForwardProxy,
} from '../support/peers/forward-proxy.ts'
import { listenDeaf } from '../support/peers/kernel.ts'
import { payloadSha256 } from '../support/peers/payload.ts'
import { ScriptedClient } from '../support/peers/scripted-client.ts'
import {
  type Endpoint,
  type Script,
  type ScriptedServer,
  startScriptedServer,
} from '../support/peers/scripted-server.ts'
import { Wire } from '../support/peers/wire.ts'
import { claimPorts, type PortBlock } from '../support/port-block.ts'
import { type ProcessPlan, ProxyProcess } from './proxy-process.ts'
import { type ProxyPlan, ProxyUnderTest } from './proxy-under-test.ts'

export interface Bystander extends Endpoint {
  readonly connections: number
}

export class Lab {
  readonly #closers: (() => void)[] = []
  readonly #proxies: ProxyUnderTest[] = []
  readonly #processes: ProxyProcess[] = []
  readonly #blocks: PortBlock[] = []

  /** A server on loopback. */
  async server(
    script: Script,
    at: { readonly host?: string; readonly port?: number } = {},
  ): Promise<ScriptedServer> {
    const server = await startScriptedServer({ script, ...at })
    this.#closers.push(() => server.close())
    return server
  }

  /** Something between clients and the proxy. */
  async balancer(plan: BalancerPlan): Promise<void> {
    const { close } = await startBalancer(plan)
    this.#closers.push(close)
  }

  /** A proxy of another kind, between ours and its servers. */
  async forwardProxy(plan: ForwardProxyPlan): Promise<ForwardProxy> {
    const proxy = await startForwardProxy(plan)
    this.#closers.push(() => proxy.close())
    return proxy
  }

  /** The proxy before that server; its data ports are claimed unless the plan names some. */
  async proxy(upstream: Endpoint, plan: ProxyPlan = {}): Promise<ProxyUnderTest> {
    const dataPorts = plan.dataPorts ?? (await this.ports())
    const proxy = await ProxyUnderTest.start({ ...plan, upstream, dataPorts })
    this.#proxies.push(proxy)
    return proxy
  }

  /** The proxy as a process of its own, running. */
  async process(plan: ProcessPlan): Promise<ProxyProcess> {
    const proxy = await ProxyProcess.start(plan)
    this.#processes.push(proxy)
    return proxy
  }

  /** The same, not waited for: it may fail to start. */
  async launch(plan: ProcessPlan): Promise<ProxyProcess> {
    const proxy = await ProxyProcess.launch(plan)
    this.#processes.push(proxy)
    return proxy
  }

  /** Ports that are this test's alone. */
  async ports(): Promise<PortBlock> {
    const block = await claimPorts()
    this.#blocks.push(block)
    return block
  }

  /** A client of the proxy that has not said anything. */
  async client(at: Endpoint, from?: string): Promise<ScriptedClient> {
    const client = await ScriptedClient.connect(at, from === undefined ? {} : { from })
    this.#closers.push(() => client.close())
    return client
  }

  /** A connection of any kind. */
  async wire(at: Endpoint, from?: string): Promise<Wire> {
    const wire = await Wire.connect({ host: at.address, port: at.port, ...(from && { from }) })
    this.#closers.push(() => wire.close())
    return wire
  }

  /** A third host that must never hear of us; it listens on that port, or on one of the system's choice. */
  async bystander(address = '127.0.0.66', port = 0): Promise<Bystander> {
    let connections = 0
    const server = createServer((socket) => {
      connections += 1
      socket.destroy()
    })
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen({ host: address, port }, resolve)
    })
    this.#closers.push(() => server.close())
    const bound = server.address()
    if (bound === null || typeof bound === 'string') throw new Error('the bystander is not bound')
    return {
      address,
      port: bound.port,
      get connections() {
        return connections
      },
    }
  }

  /** A port that neither accepts nor refuses: its queue is full, and the kernel drops what else comes. */
  async blackHole(): Promise<Endpoint> {
    const { port, close } = listenDeaf()
    this.#closers.push(close)
    // With a queue for none, the first connection that nobody accepts fills it.
    const first = connect({ host: '127.0.0.1', port })
    this.#closers.push(() => first.destroy())
    await once(first, 'connect')
    return { address: '127.0.0.1', port }
  }

  /** The proxy still serves: a newcomer logs in and gets a file. */
  async servesNext(proxy: Endpoint, from = '127.0.0.50'): Promise<void> {
    const client = await (await this.client(proxy, from)).login()
    const { data, codes } = await client.download('RETR 777')
    expect({ codes, bytes: data.byteCount, sha256: data.sha256 }).toEqual({
      codes: [150, 226],
      bytes: 777,
      sha256: payloadSha256(777),
    })
    client.close()
  }

  async close(): Promise<void> {
    for (const close of this.#closers.reverse()) close()
    try {
      for (const proxy of this.#proxies) await proxy.forgetsEverything()
    } finally {
      await Promise.all(this.#proxies.map((proxy) => proxy.app.stop()))
      await Promise.all(this.#processes.map((proxy) => proxy.kill()))
      for (const block of this.#blocks) block.release()
    }
  }
}

/** `test('…', async ({ lab }) => …)`: each test gets a lab of its own. */
export const test = base.extend<{ lab: Lab }>({
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads the names of the fixtures it needs from here
  lab: async ({}, use) => {
    const lab = new Lab()
    await use(lab)
    await lab.close()
  },
})

/** Nobody listens there any more, or soon nobody will: of several processes one is the last to close its socket. */
export async function comesToRefuse(at: Endpoint): Promise<void> {
  await expect.poll(() => refusesConnections(at), { interval: 20 }).toBe(true)
}

/** Whether a connection to this endpoint is refused now. */
export async function refusesConnections(at: Endpoint): Promise<boolean> {
  try {
    const wire = await Wire.connect({ host: at.address, port: at.port })
    wire.close()
    return false
  } catch (error) {
    expect(error).toMatchObject({ code: 'ECONNREFUSED' })
    return true
  }
}
