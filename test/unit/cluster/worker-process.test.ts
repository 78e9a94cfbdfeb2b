// How the supervisor hears that a worker has ended. Node's own events are played by hand: the one that sometimes does not
// come cannot be made to fail to order.

import cluster, { type Worker } from 'node:cluster'
import { EventEmitter } from 'node:events'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Snapshot, ToSupervisor, ToWorker } from '../../../src/cluster/messages.ts'
import { WorkerProcess } from '../../../src/cluster/worker-process.ts'
import { loadConfig } from '../../../src/config/load.ts'
import { observe } from '../observe/fixture.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

const { config } = loadConfig({ flags: { upstream: 'localhost' }, environment: {} })

/** A worker that runs, and the other end of it. */
async function runningWorker() {
  const events = new EventEmitter()
  const heard: ToWorker[] = []
  let isConnected = true
  events.once('disconnect', () => {
    isConnected = false
  })
  const killed: unknown[] = []
  const hung: number[] = []
  const kill = (signal: string) => killed.push(signal)
  const far = Object.assign(events, {
    process: { pid: 4711, kill },
    isConnected: () => isConnected,
    send: (order: ToWorker) => heard.push(order),
  })
  // The few members that are used.
  vi.spyOn(cluster, 'fork').mockReturnValue(far as unknown as Worker)
  const reported: Snapshot[] = []
  let how: string | null = null
  const worker = new WorkerProcess({
    index: 0,
    order: { type: 'start', drained: [], config },
    sessionsChanged: () => undefined,
    obstaclesChanged: () => undefined,
    poolChecked: () => undefined,
    reported: (snapshot) => reported.push(snapshot),
    hung: (silenceMs) => hung.push(silenceMs),
  })
  void worker.ended.then((end) => {
    how = end
  })
  const says = (message: ToSupervisor) => events.emit('message', message)
  says({ type: 'listens' })
  says({ type: 'started' })
  await worker.started
  return { worker, events, says, heard, reported, killed, hung, how: () => how }
}

async function snapshot(): Promise<Snapshot> {
  const { observer } = observe()
  return {
    families: await observer.families(),
    status: observer.status(),
    sessions: observer.sessions(),
    pinholes: observer.pinholes(),
  }
}

const passes = (ms: number) => vi.advanceTimersByTimeAsync(ms)

describe('a worker has ended', () => {
  it('when it has exited and all it said was heard, whichever comes first', async () => {
    const { worker, events, says, reported, how } = await runningWorker()
    const lastWords = await snapshot()
    events.emit('exit', 0, null)
    await passes(900)
    expect([how(), worker.isRunning]).toEqual([null, true])
    says({ type: 'ended', snapshot: lastWords })
    events.emit('disconnect')
    await passes(0)
    expect([how(), worker.isRunning]).toEqual(['0', false])
    expect(reported).toEqual([lastWords])

    const other = await runningWorker()
    other.events.emit('disconnect')
    await passes(60_000)
    expect(other.how()).toBeNull()
    other.events.emit('exit', null, 'SIGKILL')
    await passes(0)
    expect(other.how()).toBe('SIGKILL')
  })

  it('a second after its exit when Node does not notice that its channel is gone', async () => {
    const { worker, events, how } = await runningWorker()
    events.emit('exit', null, 'SIGKILL')
    await passes(999)
    expect([how(), worker.isRunning]).toEqual([null, true])
    await passes(1)
    expect([how(), worker.isRunning]).toEqual(['SIGKILL', false])
  })

  it('then nobody waits for an answer of its any more', async () => {
    const { worker, events, heard } = await runningWorker()
    let isOver = false
    const reloaded = worker.reload(config).then(() => {
      isOver = true
    })
    await passes(500)
    expect(heard.map(({ type }) => type)).toEqual(['start', 'reload'])
    events.emit('exit', 1, null)
    await passes(0)
    expect(isOver).toBe(false)
    events.emit('disconnect')
    await reloaded
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('a worker that hangs', () => {
  it('is killed when it has given no sign of life for 10 s, and said to be', async () => {
    const { says, events, heard, killed, hung } = await runningWorker()
    for (let second = 0; second < 30; second += 1) {
      await passes(1000)
      says({ type: 'lives' })
    }
    expect(heard.filter(({ type }) => type === 'askLife')).toHaveLength(30)
    expect(killed).toEqual([])
    await passes(9_000)
    expect(killed).toEqual([])
    await passes(2_000)
    expect([killed, hung]).toEqual([['SIGKILL'], [10_000]])
    events.emit('disconnect')
    events.emit('exit', null, 'SIGKILL')
  })
})
