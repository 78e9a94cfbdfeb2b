// The proxy of a run as a process of its own, with one listener for each upstream mode.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import type { StatusView } from '../../src/observe/view/shapes.ts'
import type { Endpoint } from '../support/peers/scripted-server.ts'
import { claimPorts } from '../support/port-block.ts'
import { type RunningProxy, startProxy } from '../support/proxy.ts'
import type { Ground } from './ground.ts'
import { type SessionPlan, type TransferPlan, upstreamModes } from './plan.ts'
import { pause } from './session-run.ts'

export interface Lane {
  readonly name: string
  readonly ground: Ground
  /** Where the proxy listens for clients. */
  readonly address: string
  /** Lines of YAML at the top level of its configuration. */
  readonly more: string
  readonly backend: 'relay' | 'nftables'
  readonly env: Readonly<Record<string, string>>
  /** Why this cannot be asked of the lane, or null. */
  readonly excuse: (session: SessionPlan, transfer: TransferPlan) => string | null
  /** What else may be left behind, asked when all sessions are over; one sentence each. */
  readonly leftovers: () => readonly string[]
}

export interface LaneProxy {
  at(mode: SessionPlan['upstreamMode']): Endpoint
  /** From now on it may hold no more descriptors than now. */
  settle(): void
  /** What it still holds though every session is over, one sentence each. */
  remains(): Promise<readonly string[]>
  /** Throws when it does not end well. */
  stop(): Promise<void>
  kill(): Promise<void>
}

/** Longer than the longest that anything may be remembered: a connection in the kernel, a pinhole, a worker's figures. */
const REST_MS = 30_000

export async function startLane(lane: Lane, upstream: Endpoint): Promise<LaneProxy> {
  const ports = await claimPorts()
  const portOf = (mode: SessionPlan['upstreamMode']) => ports.last - upstreamModes.indexOf(mode)
  const admin = { address: '127.0.0.1', port: ports.last - upstreamModes.length }
  const listeners = upstreamModes.map(
    (mode) => `  - name: ${mode}
    listen: ${lane.address}:${portOf(mode)}
    upstream: ${upstream.address}:${upstream.port}
    upstreamMode: ${mode}`,
  )
  const config = `listeners:
${listeners.join('\n')}
dataPorts: ${ports.first}-${admin.port - 1}
admin: { listen: ${admin.address}:${admin.port} }
pinholes: { backend: ${lane.backend}, timeout: 5s }
limits: { transfer: 5s, idle: 8s }
log: { level: warn }
${lane.more}
`
  const proxy = await startProxy({ config, admin, env: lane.env })
  let settled = Number.POSITIVE_INFINITY
  const held = async () => [
    ...(await holdings(proxy)),
    ...lane.leftovers(),
    ...(descriptorsOf(proxy.pid) > settled
      ? [`${descriptorsOf(proxy.pid)} descriptors are open, and ${settled} were`]
      : []),
  ]
  return {
    at: (mode) => ({ address: lane.address, port: portOf(mode) }),
    settle: () => {
      settled = descriptorsOf(proxy.pid)
    },
    remains: async () => {
      const endsAt = performance.now() + REST_MS
      for (;;) {
        const left = await held()
        if (left.length === 0 || performance.now() > endsAt) return left
        await pause(200)
      }
    },
    stop: async () => {
      await proxy.stop()
      ports.release()
    },
    kill: async () => {
      await proxy.kill()
      ports.release()
    },
  }
}

async function holdings(proxy: RunningProxy): Promise<readonly string[]> {
  const { body } = await proxy.get('/api/v1/status')
  const status: StatusView = JSON.parse(body)
  const held = status.listeners.flatMap((listener) => [
    `${listener.sessions_active} sessions of listener ${listener.listener}`,
    `${listener.data_connections_active} data connections of listener ${listener.listener}`,
    `${listener.pinholes_active} pinholes of listener ${listener.listener}`,
  ])
  held.push(...status.pools.map(({ pool, in_use }) => `${in_use} ports of pool ${pool}`))
  held.push(`${status.session_defects_total} sessions that a defect ended`)
  return held.filter((what) => !what.startsWith('0 ')).map((what) => `left in the proxy: ${what}`)
}

/** Open descriptors of a process and its workers; 0 where there is no /proc. */
function descriptorsOf(pid: number): number {
  const folder = `/proc/${pid}/fd`
  if (!existsSync(folder)) return 0
  const children = `/proc/${pid}/task/${pid}/children`
  const workers = existsSync(children) ? readFileSync(children, 'utf8').split(' ').filter(Boolean) : []
  return workers.reduce((total, worker) => total + descriptorsOf(Number(worker)), readdirSync(folder).length)
}
