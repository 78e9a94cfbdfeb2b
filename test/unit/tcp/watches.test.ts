// The kernel watches no more (`fs.epoll.max_user_watches`): nobody is forgotten for it, and nothing stays reserved.

import { connect, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { loadLibc } from '../../../src/kernel/libc.ts'
import { PortPool } from '../../../src/pinhole/port-pool.ts'
import { RelayBackend } from '../../../src/pinhole/relay/relay-backend.ts'
import type { Connection, ConnectionError, Listening } from '../../../src/tcp/connection.ts'
import { Tcp } from '../../../src/tcp/tcp.ts'
import { introductions } from '../../support/connections.ts'
import { claimPorts } from '../../support/port-block.ts'

const ADD = 1
const ENOSPC = 28
const EMFILE = 24

const libc = await loadLibc().catch(() => null)
if (libc === null) console.log('skipped: connections by epoll(7) need Linux and koffi')

const nobody = {
  connected: () => undefined,
  lost: () => undefined,
  forwarded: () => undefined,
  forwardEnded: () => undefined,
  expired: () => undefined,
}
const closers: (() => unknown)[] = []

afterEach(() => {
  for (const close of closers.splice(0)) close()
})

/** A kernel that refuses when it is told to. */
class Kernel {
  watchesRefused = 0
  acceptsRefused = 0
  /** Whoever was refused is gone before the next try. */
  dropsRefused = false
  opened = new Set<number>()
  readonly tcp: Tcp
  #errno = 0

  constructor() {
    if (libc === null) throw new Error('no libc')
    const real = libc
    this.tcp = new Tcp({
      libc: {
        ...real,
        epollCtl: (epollFd, operation, fd, event) => {
          if (operation === ADD && this.watchesRefused > 0) {
            this.watchesRefused -= 1
            return this.#refuse(ENOSPC)
          }
          return this.#did(real.epollCtl(epollFd, operation, fd, event))
        },
        accept4: (fd, address, length, flags) => {
          if (this.acceptsRefused > 0) {
            this.acceptsRefused -= 1
            if (this.dropsRefused) real.close(real.accept4(fd, address, length, flags))
            return this.#refuse(EMFILE)
          }
          return this.#opens(real.accept4(fd, address, length, flags))
        },
        socket: (family, type, protocol) => this.#opens(real.socket(family, type, protocol)),
        close: (fd) => {
          this.opened.delete(fd)
          return real.close(fd)
        },
        errno: () => this.#errno || real.errno(),
      },
    })
  }

  #opens(fd: number): number {
    if (fd >= 0) this.opened.add(fd)
    return this.#did(fd)
  }

  #refuse(errno: number): number {
    this.#errno = errno
    return -1
  }

  #did(result: number): number {
    this.#errno = 0
    return result
  }
}

interface Stand {
  readonly kernel: Kernel
  readonly listening: Listening
  readonly port: number
  readonly accepted: Connection[]
  readonly failures: (string | undefined)[]
  /** How often it said that it accepts again. */
  readonly recoveries: () => number
}

async function listen(): Promise<Stand> {
  const kernel = new Kernel()
  const accepted: Connection[] = []
  const failures: (string | undefined)[] = []
  let recoveries = 0
  let told: (port: number) => void = () => undefined
  const port = new Promise<number>((resolve) => {
    told = resolve
  })
  const listening = kernel.tcp.listen({
    at: { address: '127.0.0.1', port: 0 },
    backlog: 16,
    noDelay: false,
    isExclusive: true,
    accepted: (connection) => {
      accepted.push(connection)
      closers.push(() => connection.destroy())
    },
    listens: (_, at) => told(at.port),
    failed: ({ code }) => failures.push(code),
    recovered: () => {
      recoveries += 1
    },
  })
  closers.push(() => listening.close())
  return { kernel, listening, port: await port, accepted, failures, recoveries: () => recoveries }
}

function call(port: number): Socket {
  const socket = connect({ host: '127.0.0.1', port })
  socket.on('error', () => undefined)
  closers.push(() => socket.destroy())
  return socket
}

describe.skipIf(libc === null)('a listener that cannot watch', () => {
  it('tries again with the connection that it has accepted, and says meanwhile that it accepts none', async () => {
    const { kernel, listening, port, accepted, failures, recoveries } = await listen()
    // The connection; then the listener itself, twice; then the connection again.
    kernel.watchesRefused = 4
    call(port)
    await expect.poll(() => listening.isAccepting).toBe(false)
    call(port)
    await expect.poll(() => accepted).toHaveLength(2)
    expect(failures).toEqual(['ENOSPC'])
    expect(listening.isAccepting).toBe(true)
    expect(recoveries()).toBe(1)
    call(port)
    await expect.poll(() => accepted).toHaveLength(3)
  })

  it('comes back though it was refused just when it rested for want of descriptors', async () => {
    const { kernel, listening, port, accepted, failures } = await listen()
    kernel.acceptsRefused = 1
    kernel.watchesRefused = 3
    call(port)
    await expect.poll(() => accepted).toHaveLength(1)
    expect(kernel.watchesRefused).toBe(0)
    expect(failures).toEqual(['EMFILE'])
    expect(listening.isAccepting).toBe(true)
  })

  it('comes back though nobody waits any more', async () => {
    const { kernel, listening, port, accepted, failures, recoveries } = await listen()
    kernel.acceptsRefused = 1
    kernel.dropsRefused = true
    call(port)
    await expect.poll(recoveries).toBe(1)
    expect(failures).toEqual(['EMFILE'])
    expect(listening.isAccepting).toBe(true)
    expect(accepted).toEqual([])
  })

  it('keeps nothing when it is closed meanwhile', async () => {
    const { kernel, listening, port, accepted } = await listen()
    kernel.watchesRefused = 1000
    const socket = call(port)
    const gone = new Promise((resolve) => socket.once('close', resolve))
    await expect.poll(() => listening.isAccepting).toBe(false)
    expect(kernel.opened.size).toBe(2)
    listening.close()
    expect(kernel.opened.size).toBe(0)
    await gone
    expect(accepted).toEqual([])
  })

  it('says so, and gives back its socket', async () => {
    const kernel = new Kernel()
    kernel.watchesRefused = 1
    const outcome = await new Promise<ConnectionError | null>((resolve) => {
      kernel.tcp.listen({
        at: { address: '127.0.0.1', port: 0 },
        backlog: 1,
        noDelay: false,
        isExclusive: true,
        accepted: () => undefined,
        listens: resolve,
        failed: resolve,
      })
    })
    expect(outcome?.code).toBe('ENOSPC')
    expect(kernel.opened.size).toBe(0)
  })
})

it.skipIf(libc === null)('a data port that cannot be watched is given back', async () => {
  const kernel = new Kernel()
  const { first, release } = await claimPorts()
  closers.push(release)
  const pool = new PortPool({ first, last: first, quarantineMs: 0, share: 10, random: () => 0 })
  const backend = new RelayBackend({
    idlePorts: 256,
    tcp: kernel.tcp,
    introductions,
    pools: { client: pool, server: pool },
    intruded: () => undefined,
    now: () => performance.now(),
  })
  closers.push(() => backend.closeAll())
  const open = () =>
    new Promise<string | undefined>((resolve) => {
      backend.open(
        {
          owner: 'one',
          from: 'client',
          expect: '127.0.0.1',
          others: [],
          client: '127.0.0.1',
          local: '127.0.0.1',
          target: null,
          source: null,
          timeoutMs: 1000,
        },
        nobody,
        (error) => resolve(error?.message),
      )
    })
  kernel.watchesRefused = 3
  for (let attempt = 0; attempt < 3; attempt += 1) expect(await open()).toContain('ENOSPC')
  expect(pool.inUse).toBe(0)
  expect(kernel.opened.size).toBe(0)
  expect(await open()).toBeUndefined()
})
