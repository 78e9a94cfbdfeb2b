// Node's listener when the system gives it no descriptor.

import type { Server } from 'node:net'
import { afterEach, describe, expect, it, vi } from 'vitest'

const made = vi.hoisted((): Server[] => [])
vi.mock('node:net', async (original) => {
  const net = await original<typeof import('node:net')>()
  const createServer = (...args: Parameters<typeof net.createServer>) => {
    const server = net.createServer(...args)
    made.push(server)
    return server
  }
  return { ...net, createServer }
})

// Files share modules: this one needs a listener that sees the server made here.
vi.resetModules()
const { listenNode } = await import('../../../src/tcp/node/listener.ts')

const closers: (() => void)[] = []
afterEach(() => {
  for (const close of closers.splice(0)) close()
  vi.useRealTimers()
})

describe('a listener of Node’s that cannot accept', () => {
  it('says so once, and that it can when it has not failed for a while', async () => {
    const told: string[] = []
    const listening = await new Promise<ReturnType<typeof listenNode>>((resolve) => {
      const started = listenNode(
        {
          at: { address: '127.0.0.1', port: 0 },
          backlog: 1,
          noDelay: false,
          isExclusive: true,
          accepted: () => undefined,
          listens: () => resolve(started),
          failed: ({ code }) => told.push(`failed ${code}`),
          recovered: () => told.push('recovered'),
        },
        null,
      )
    })
    closers.push(() => listening.close())
    expect(listening.isAccepting).toBe(true)
    vi.useFakeTimers()
    const fail = () => made[0]?.emit('error', Object.assign(new Error('accept EMFILE'), { code: 'EMFILE' }))
    fail()
    expect(listening.isAccepting).toBe(false)
    vi.advanceTimersByTime(400)
    fail()
    vi.advanceTimersByTime(400)
    expect(listening.isAccepting).toBe(false)
    expect(told).toEqual(['failed EMFILE'])
    vi.advanceTimersByTime(200)
    expect(listening.isAccepting).toBe(true)
    expect(told).toEqual(['failed EMFILE', 'recovered'])
  })
})
