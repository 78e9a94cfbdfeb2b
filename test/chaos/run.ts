// Many sessions at once through one proxy, for a while, and the figures of it.

import type { Endpoint } from '../support/peers/scripted-server.ts'
import { Random } from '../support/random.ts'
import { runClient } from './client.ts'
import { isWhole, judge } from './judge.ts'
import { type Lane, startLane } from './lane.ts'
import { type FaultKind, planSession } from './plan.ts'
import { messageOf, startServer } from './server.ts'
import { type PeerView, SessionRun, type TransferRun } from './session-run.ts'

export interface RunOptions {
  readonly seed: number
  readonly seconds: number
  /** Only the session that follows from this number, as often as there is time; null for all. */
  readonly only: number | null
}

export interface Figures {
  sessions: number
  transfers: number
  whole: number
  bytes: number
  readonly faults: Partial<Record<FaultKind, number>>
  /** Transfers that were planned and not made, by the reason. */
  readonly leftOut: Record<string, number>
  /** One sentence each, with the number that brings it back. */
  readonly wrong: string[]
}

const SESSIONS_AT_ONCE = 20
/** What goes wrong for one reason goes wrong again and again: so many are enough to look at. */
const MOST_WRONG = 20

/** Runs sessions until the time is up. Nothing of any may be left in the proxy then, or that is wrong too. */
export async function runLane(lane: Lane, { seed, seconds, only }: RunOptions): Promise<Figures> {
  const figures: Figures = {
    sessions: 0,
    transfers: 0,
    whole: 0,
    bytes: 0,
    faults: {},
    leftOut: {},
    wrong: [],
  }
  const sessions = new Map<number, SessionRun>()
  const server = await startServer(lane.ground, (id) => sessions.get(id))
  const proxy = await startLane(lane, server)
  const random = new Random(seed)
  const next = async () => {
    figures.sessions += 1
    const plan = planSession(only ?? random.next())
    const transfers = plan.transfers.filter((transfer) => {
      const excuse = lane.excuse(plan, transfer)
      if (excuse !== null) figures.leftOut[excuse] = (figures.leftOut[excuse] ?? 0) + 1
      return excuse === null
    })
    const session = new SessionRun(figures.sessions, plan, transfers)
    sessions.set(session.id, session)
    await runSession(session, { at: proxy.at(session.plan.upstreamMode), lane, figures })
    sessions.delete(session.id)
  }
  try {
    await next()
    proxy.settle()
    const endsAt = performance.now() + seconds * 1000
    const keepRunning = async () => {
      while (performance.now() < endsAt && figures.wrong.length < MOST_WRONG) await next()
    }
    await Promise.all(Array.from({ length: SESSIONS_AT_ONCE }, keepRunning))
    figures.wrong.push(...(await proxy.remains()))
    await proxy.stop()
  } catch (error) {
    await proxy.kill()
    throw error
  } finally {
    server.close()
  }
  return figures
}

/** What `figures` say, for people. */
export function describeFigures(name: string, { seed }: RunOptions, figures: Figures): string {
  const { sessions, transfers, whole, bytes, faults, leftOut, wrong } = figures
  const kinds = Object.entries(faults).map(([kind, count]) => `${kind} ${count}`)
  return [
    `chaos, ${name}, seed ${seed}: ${transfers} transfers in ${sessions} sessions, ${(bytes / 1e6).toFixed(0)} MB, ` +
      `${whole} whole, ${transfers - whole} seen as failed, ${wrong.length} wrong; ${kinds.sort().join(', ')}`,
    ...Object.entries(leftOut).map(([reason, count]) => `${count} transfers do not count: ${reason}`),
    ...wrong,
  ].join('\n  ')
}

async function runSession(
  session: SessionRun,
  { at, lane, figures }: { readonly at: Endpoint; readonly lane: Lane; readonly figures: Figures },
): Promise<void> {
  const { seed, upstreamMode } = session.plan
  const isWrong = (what: string) =>
    figures.wrong.push(
      `session ${seed} (--only ${seed} --lane ${lane.name}), upstream mode ${upstreamMode}: ${what}`,
    )
  await runClient(session, at, lane.ground).catch((error: unknown) => session.problems.push(messageOf(error)))
  for (const problem of session.problems) isWrong(problem)
  for (const [index, run] of session.transfers.entries()) {
    if (!run.client.hasBegun && run.client.code === null && run.client.problem === null) continue
    figures.transfers += 1
    figures.bytes += (run.client.data?.received ?? 0) + (run.server.data?.received ?? 0)
    if (isWhole(run)) figures.whole += 1
    const { kind } = run.plan.fault
    if (kind !== 'none') figures.faults[kind] = (figures.faults[kind] ?? 0) + 1
    const fault = judge(run)
    if (fault !== null) isWrong(`transfer ${index}: ${fault}; ${describePlan(run)}`)
  }
}

function describePlan({ plan, client, server }: TransferRun): string {
  const { verb, command, size, fault, preliminary, successWaits, clientDelayMs, serverDelayMs, isPatient } =
    plan
  const { kind, side, at, how, resets } = fault
  const what =
    kind === 'none' ? 'no fault' : `${kind} by the ${side} at byte ${at} (${how}${resets ? ', resets' : ''})`
  const habits = [
    `150 ${preliminary}`,
    successWaits ? '226 waits' : '226 at once',
    `delays ${clientDelayMs} and ${serverDelayMs} ms`,
    isPatient ? 'patient' : 'impatient',
  ]
  return `${verb}, ${command} of ${size} bytes, ${what}; ${habits.join(', ')}; client: ${describeView(client)}; server: ${describeView(server)}`
}

function describeView({ code, data }: PeerView): string {
  if (data === null) return `${code}, no data connection`
  const { sent, received, own, ending } = data
  return `${code}, ${sent} bytes sent, ${received} received, ended by ${own}, the other end by ${ending}`
}
