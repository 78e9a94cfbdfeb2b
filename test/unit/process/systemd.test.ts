import { spawnSync } from 'node:child_process'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  connectServiceManager,
  type OpenChannel,
  openLibsystemd,
  openSystemdNotify,
  watchdogInterval,
} from '../../../src/process/systemd.ts'
import { type NotifySocket, notifySocketMissing, openNotifySocket } from '../../support/notify-socket.ts'

const missing = notifySocketMissing()
if (missing !== null) console.warn(`messages to systemd are not tested: ${missing}`)

/** libsystemd and systemd-notify read the process's own environment. */
async function listening(kind: 'path' | 'abstract' = 'path'): Promise<NotifySocket> {
  const socket = await openNotifySocket(kind)
  vi.stubEnv('NOTIFY_SOCKET', socket.path)
  return socket
}

const complain = (problem: string) => {
  throw new Error(problem)
}

describe('watchdogInterval', () => {
  it('is half of what systemd allows', () => {
    expect(watchdogInterval({ WATCHDOG_USEC: '30000000' })).toBe(15_000)
    expect(watchdogInterval({ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '7' }, 7)).toBe(15_000)
    expect(watchdogInterval({ WATCHDOG_USEC: '1' })).toBe(1)
  })

  it('is null when nobody watches, or watches another process', () => {
    expect(watchdogInterval({})).toBeNull()
    expect(watchdogInterval({ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '8' }, 7)).toBeNull()
    expect(watchdogInterval({ WATCHDOG_USEC: 'soon' })).toBeNull()
    expect(watchdogInterval({ WATCHDOG_USEC: '0' })).toBeNull()
  })
})

describe('without systemd', () => {
  it('does nothing, and opens no channel', async () => {
    const manager = await connectServiceManager({
      environment: {},
      failed: complain,
      channels: [() => Promise.reject(new Error('a channel was opened'))],
    })
    expect(manager.channel).toBe('none')
    manager.ready('up')
    manager.reloading()
    manager.status('still up')
    manager.stopping('bye')
    await manager.close()
  })
})

describe('when nothing can send', () => {
  it('says once why, and goes on', async () => {
    const problems: string[] = []
    const broken =
      (text: string): OpenChannel =>
      () =>
        Promise.reject(new Error(text))
    const manager = await connectServiceManager({
      environment: { NOTIFY_SOCKET: '/run/systemd/notify' },
      failed: (problem) => problems.push(problem),
      channels: [broken('no koffi'), broken('no systemd-notify')],
    })
    expect(manager.channel).toBe('none')
    expect(problems).toEqual([
      'systemd waits for messages, and none can be sent: no koffi; no systemd-notify',
    ])
  })

  it('says once when systemd stops listening, and goes on', async () => {
    const problems: string[] = []
    const send = () => Promise.reject(new Error('sd_notify gave -111'))
    const manager = await connectServiceManager({
      environment: { NOTIFY_SOCKET: '/run/systemd/notify' },
      failed: (problem) => problems.push(problem),
      channels: [async () => ({ name: 'libsystemd', send })],
    })
    manager.ready('up')
    manager.stopping('bye')
    await manager.close()
    expect(problems).toEqual(['systemd could not be told READY=1: sd_notify gave -111'])
  })
})

describe.skipIf(missing !== null)('with a real notification socket', () => {
  let socket: NotifySocket

  beforeEach(async () => {
    socket = await listening()
  })

  afterEach(async () => {
    vi.unstubAllEnvs()
    await socket.close()
  })

  const ways = [
    { name: 'libsystemd', open: openLibsystemd, reason: null },
    { name: 'systemd-notify', open: openSystemdNotify, reason: systemdNotifyMissing() },
  ]

  for (const { name, open, reason } of ways) {
    if (reason !== null) console.warn(`${name} is not tested: ${reason}`)
    it.skipIf(reason !== null)(`tells the whole life of a service through ${name}, in order`, async () => {
      const manager = await connectServiceManager({
        environment: { NOTIFY_SOCKET: socket.path },
        failed: complain,
        channels: [open],
      })
      expect(manager.channel).toBe(name)
      manager.ready('listening on 0.0.0.0:2121')
      manager.reloading()
      manager.ready('reloaded')
      manager.status('3 sessions')
      manager.stopping('draining 3 sessions')
      await manager.close()
      await socket.waitFor((messages) => messages.length === 5, 'five messages')
      const [, reloading, ...others] = socket.messages()
      expect(reloading).toMatch(/^RELOADING=1\nMONOTONIC_USEC=[0-9]+$/)
      expect([socket.messages()[0], ...others]).toEqual([
        'READY=1\nSTATUS=listening on 0.0.0.0:2121',
        'READY=1\nSTATUS=reloaded',
        'STATUS=3 sessions',
        'STOPPING=1\nSTATUS=draining 3 sessions',
      ])
    })
  }

  it('gives the clock that systemd compares with', async () => {
    const manager = await connectServiceManager({
      environment: { NOTIFY_SOCKET: socket.path },
      failed: complain,
    })
    const before = monotonicMicroseconds()
    manager.reloading()
    await manager.close()
    await socket.waitFor((messages) => messages.length === 1, 'a message')
    const told = Number(/MONOTONIC_USEC=([0-9]+)/.exec(socket.messages()[0] ?? '')?.[1])
    expect(told).toBeGreaterThanOrEqual(before)
    expect(told).toBeLessThan(before + 60_000_000)
  })

  it('cannot be made to say something else by a line break in a status', async () => {
    const manager = await connectServiceManager({
      environment: { NOTIFY_SOCKET: socket.path },
      failed: complain,
    })
    manager.status('user a\nMAINPID=1\r\nb')
    await manager.close()
    await socket.waitFor((messages) => messages.length === 1, 'a message')
    expect(socket.messages()).toEqual(['STATUS=user a MAINPID=1 b'])
  })

  it('feeds the watchdog from ready to close, and not before', async () => {
    const manager = await connectServiceManager({
      environment: { NOTIFY_SOCKET: socket.path, WATCHDOG_USEC: '20000' },
      failed: complain,
    })
    manager.status('starting')
    await socket.waitFor((messages) => messages.length === 1, 'the status')
    expect(socket.messages()).toEqual(['STATUS=starting'])
    manager.ready('up')
    const signs = () => socket.messages().filter((message) => message === 'WATCHDOG=1').length
    await socket.waitFor(() => signs() >= 3, 'three signs of life')
    await manager.close()
  })

  it('reaches an abstract socket, as systemd in a container gives', async () => {
    const abstract = await listening('abstract')
    try {
      const manager = await connectServiceManager({
        environment: { NOTIFY_SOCKET: abstract.path },
        failed: complain,
      })
      manager.status('up')
      await manager.close()
      await abstract.waitFor((messages) => messages.length === 1, 'a message')
      expect(abstract.messages()).toEqual(['STATUS=up'])
    } finally {
      await abstract.close()
    }
  })
})

function systemdNotifyMissing(): string | null {
  return spawnSync('systemd-notify', ['--version']).status === 0 ? null : 'there is no systemd-notify here'
}

/** CLOCK_MONOTONIC of another program. */
function monotonicMicroseconds(): number {
  const script = 'import time; print(time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000)'
  return Number(spawnSync('/usr/bin/python3', ['-c', script], { encoding: 'utf8' }).stdout)
}
