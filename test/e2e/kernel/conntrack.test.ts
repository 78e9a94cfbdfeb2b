// What conntrack tells us of real connections: only what carries our mark, only what we can use, and the truth
// again after more happened than the socket could hold.

import type { Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Endpoint } from '../../../src/ftp/endpoints.ts'
import { type FlowKey, findFlow, flowOf, keyOf, listFlows } from '../../../src/kernel/conntrack.ts'
import { eraseFlow } from '../../../src/kernel/conntrack-erase.ts'
import { type ConntrackWatch, watchConntrack } from '../../../src/kernel/conntrack-watch.ts'
import { NetlinkSocket } from '../../../src/kernel/netlink-socket.ts'
import { Lab, whyNoNamespaces } from '../../support/kernel-netns.ts'

const obstacle = whyNoNamespaces()
if (obstacle !== null) console.log(`conntrack: skipped, ${obstacle}`)

const mark = 0xf7
const ports = { first: 4000, last: 4999 }

describe.skipIf(obstacle !== null).each([4, 6] as const)('conntrack over IPv%i', (family) => {
  let lab: Lab
  let watch: ConntrackWatch | null = null
  let questions: NetlinkSocket
  let at: Endpoint
  const told: string[] = []

  beforeAll(async () => {
    lab = await Lab.create()
    // Ports from 3000 carry the mark, and ours are those from 4000; the byte rule switches accounting on.
    lab.nft(`table inet t {
      chain c {
        type filter hook prerouting priority mangle;
        ct state new tcp dport 3000-4999 ct mark set ${mark}
        ct bytes 0
      }
    }`)
    questions = new NetlinkSocket(lab.libc)
    at = (await lab.listen('server', { address: lab.address('server', family), port: 4000 }, echoing)).at
    for (const port of [3999, 5000]) await lab.listen('server', { ...at, port }, echoing)
  })
  afterAll(() => {
    questions.close()
    lab.close()
  })
  afterEach(() => {
    watch?.close()
    told.length = 0
  })

  function listen(bufferBytes?: number): void {
    const note = (what: string) => (key: FlowKey) => {
      const flow = flowOf(key)
      told.push(`${what} ${flow?.from.address} ${flow?.from.port} to ${flow?.to.port}`)
    }
    const began = note('began')
    watch = watchConntrack(
      lab.libc,
      bufferBytes === undefined ? { mark, ports } : { mark, ports, bufferBytes },
      {
        began: ({ key }) => began(key),
        closed: note('closed'),
        forgotten: note('forgotten'),
        lost: () => void told.push('lost'),
      },
    )
  }

  it('tells the beginning and the end of marked connections to our ports, and nothing else', async () => {
    listen()
    for (const port of [3999, 5000]) {
      await saysAndLeaves(lab.connect('client', { ...at, port }, { port: 40_000 }))
    }
    const ours = lab.connect('client', at, { port: 40_001 })
    await saysAndLeaves(ours)
    const who = `${lab.address('client', family)} 40001 to 4000`
    await expect.poll(() => told).toEqual([`began ${who}`, `closed ${who}`])
  })

  it('tells of a reset, and of a connection that was erased', async () => {
    listen()
    const socket = lab.connect('client', at, { port: 40_002 })
    await new Promise((resolve) => socket.once('connect', resolve))
    socket.resetAndDestroy()
    const who = `${lab.address('client', family)} 40002 to 4000`
    await expect.poll(() => told).toEqual([`began ${who}`, `closed ${who}`])
    const key = keyOf({ from: { address: lab.address('client', family), port: 40_002 }, to: at })
    expect(findFlow(questions, key, 'RUNTIME_FAILED')?.state).toBe('reset')
    eraseFlow(questions, key, 'RUNTIME_FAILED')
    expect(findFlow(questions, key, 'RUNTIME_FAILED')).toBeNull()
    await expect.poll(() => told.slice(2)).toEqual([`forgotten ${who}`])
    eraseFlow(questions, key, 'RUNTIME_FAILED')
  })

  it('tells only that it is forgotten of one that the target refused', async () => {
    listen()
    const socket = lab.connect('client', { ...at, port: 4999 }, { port: 40_003 })
    await new Promise((resolve) => socket.once('error', resolve))
    await saysAndLeaves(lab.connect('client', at, { port: 40_008 }))
    const [refused, who] = ['40003 to 4999', '40008 to 4000'].map(
      (flow) => `${lab.address('client', family)} ${flow}`,
    )
    await expect.poll(() => told).toEqual([`forgotten ${refused}`, `began ${who}`, `closed ${who}`])
  })

  it('tells once of what closed, and of what is forgotten before that', async () => {
    listen()
    await saysAndLeaves(lab.connect('client', at, { port: 40_006 }))
    const open = lab.connect('client', at, { port: 40_007 })
    await new Promise((resolve) => open.once('connect', resolve))
    const [first, second] = [40_006, 40_007].map((port) => `${lab.address('client', family)} ${port} to 4000`)
    await expect.poll(() => told).toEqual([`began ${first}`, `closed ${first}`, `began ${second}`])
    lab.exec('gateway', 'conntrack', '-D', '-f', `ipv${family}`, '-p', 'tcp', '--dport', '4000')
    await expect.poll(() => told.slice(3)).toEqual([`forgotten ${second}`])
    // No FIN, from which conntrack would make a new entry.
    open.resetAndDestroy()
  })

  it('counts what a connection carried, and knows none that never was', async () => {
    const socket = lab.connect('client', at, { port: 40_004 })
    await saysAndLeaves(socket, 'x'.repeat(10_000))
    const flow = { from: { address: lab.address('client', family), port: 40_004 }, to: at }
    await expect.poll(() => findFlow(questions, keyOf(flow), 'RUNTIME_FAILED')?.state).toBe('closed')
    const found = findFlow(questions, keyOf(flow), 'RUNTIME_FAILED')
    expect(found?.flow).toEqual(flow)
    // The payload, to the byte.
    expect(found?.bytes).toEqual({ sentBytes: 10_000, receivedBytes: 10_000 })
    const stranger = { ...flow, from: { ...flow.from, port: 40_999 } }
    expect(findFlow(questions, keyOf(stranger), 'RUNTIME_FAILED')).toBeNull()
    const listed = listFlows(questions, mark, 'RUNTIME_FAILED')
    expect(listed).toContainEqual(found)
    expect(listed.every((each) => each.flow.to.port < 5000)).toBe(true)
  })

  it('says when events were lost, and goes on', async () => {
    listen(2304)
    // All in one turn of the event loop, so that nobody reads meanwhile.
    const sockets = Array.from({ length: 40 }, () => lab.connect('client', at))
    await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once('connect', resolve))))
    await expect.poll(() => told).toContain('lost')
    for (const socket of sockets) socket.destroy()
    await expect
      .poll(() => listFlows(questions, mark, 'RUNTIME_FAILED').filter(({ state }) => state === 'open'))
      .toEqual([])
    const socket = lab.connect('client', at, { port: 40_005 })
    await saysAndLeaves(socket)
    const who = `${lab.address('client', family)} 40005 to 4000`
    await expect.poll(() => told).toContain(`began ${who}`)
    await expect.poll(() => told).toContain(`closed ${who}`)
  })
})

function echoing(socket: Socket): void {
  socket.on('error', () => undefined)
  socket.pipe(socket)
}

/** Says something, hears it back, and closes in order. */
async function saysAndLeaves(socket: Socket, words = 'hello'): Promise<void> {
  let heard = ''
  socket.end(words)
  for await (const chunk of socket) heard += chunk
  expect(heard).toBe(words)
}
