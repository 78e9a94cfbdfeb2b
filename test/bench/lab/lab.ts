import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Job, ResultOf } from '../load/jobs.ts'
import type { ServerListener, ServerOptions } from '../load/server.ts'
import { closeAccounts, openAccount, removeStaleGroups } from './accounting.ts'
import { isAlive } from './alive.ts'
import type { Child } from './child.ts'
import { killAllChildren, startChild, stopAllChildren, within } from './child.ts'
import type { Network } from './network.ts'
import { createNetwork } from './network.ts'
import type { Place } from './place.ts'
import { makePlaces } from './places.ts'

/** The ground on which everything runs: places for systems, the load server, and load clients on demand. */
export interface Lab {
  readonly kind: Place['kind']
  /** Why it is loopback; null when it is not. */
  readonly reason: string | null
  readonly places: readonly Place[]
  /** How CPU time is found out: `cgroup v1 cpuacct`. */
  readonly cpuMethod: string
  /** Of the load server, since it began. */
  serverCpuSeconds(): number
  /** Of all load clients so far, their starts included; 0 where that cannot be known. */
  clientCpuSeconds(): number
  /** Runs one job of the load client to its end; rejects when it does not end in time. */
  run<J extends Job>(job: J): Promise<ResultOf[J['kind']]>
  /** The same for a job that holds on to something after its result, until `release()`. */
  hold<J extends Job>(job: J): Promise<Held<ResultOf[J['kind']]>>
  close(): Promise<void>
}

/** Nothing that is measured from now on means anything. */
export class LabBroken extends Error {}

export interface Held<R> {
  readonly result: R
  release(): Promise<void>
}

/** No single job takes longer than this. */
const longestJobMs = 120_000

const clientProgram = fileURLToPath(new URL('../load/client.js', import.meta.url))
const serverProgram = fileURLToPath(new URL('../load/server.js', import.meta.url))

export interface LabOptions {
  /** How many systems. */
  readonly places: number
  /** Whether some of them speak TLS with the server. */
  readonly needsTls: boolean
}

export async function openLab({ places: howMany, needsTls }: LabOptions): Promise<Lab> {
  removeStaleScratch()
  const scratch = mkdtempSync(join(tmpdir(), `${scratchPrefix}${process.pid}-`))
  // Peers that drop root read their configuration here.
  chmodSync(scratch, 0o755)
  process.once('exit', killAllChildren)
  const ground = await openGround()
  const { network, reason } = ground
  let closing: Promise<void> | null = null
  const close = (): Promise<void> => {
    closing ??= tidyUp(scratch, network)
    return closing
  }
  const account = openAccount('client', { isOfOne: false })
  const start = (job: Job): Child =>
    startChild({
      program: process.execPath,
      args: [clientProgram, JSON.stringify(job)],
      namespace: network?.client ?? null,
      account,
      workingDirectory: scratch,
      logFile: join(scratch, 'client.log'),
      stdout: 'pipe',
    })
  try {
    const places = await makePlaces(howMany, network, scratch)
    const where = { namespace: network?.server ?? null, scratch }
    const server = await startServer(plainListeners(places), { ...where, name: 'server' })
    if (needsTls)
      await startServer(tlsListeners(places), { ...where, name: 'tls-server', ...identityOf(places) })
    return {
      kind: network === null ? 'loopback' : 'namespace',
      reason,
      places,
      cpuMethod: server.cpuMethod,
      serverCpuSeconds: server.cpuSeconds,
      // Load clients come and go: only a group remembers them.
      clientCpuSeconds: () => (account.joinFile === null ? 0 : account.cpuSeconds(0)),
      run: async (job) => {
        if (closing !== null) throw new LabBroken('the run is over')
        if (!server.child.isAlive())
          throw new LabBroken(`the load server ${await server.child.exited}: ${server.child.logTail()}`)
        const client = start(job)
        try {
          return await resultOf(client, job)
        } finally {
          await client.stop()
        }
      },
      hold: async (job) => {
        if (closing !== null) throw new LabBroken('the run is over')
        return hold(start(job), job)
      },
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

async function tidyUp(scratch: string, network: Network | null): Promise<void> {
  await stopAllChildren()
  await network?.remove()
  closeAccounts()
  rmSync(scratch, { recursive: true, force: true })
}

const scratchPrefix = 'ftp-alg-bench-'

/** Of runs that were killed before they could tidy up. */
function removeStaleScratch(): void {
  for (const name of readdirSync(tmpdir())) {
    const owner = name.startsWith(scratchPrefix)
      ? Number.parseInt(name.slice(scratchPrefix.length), 10)
      : Number.NaN
    if (!Number.isNaN(owner) && !isAlive(owner))
      rmSync(join(tmpdir(), name), { recursive: true, force: true })
  }
}

interface Ground {
  readonly network: Network | null
  readonly reason: string | null
}

async function openGround(): Promise<Ground> {
  if (process.platform !== 'linux')
    return { network: null, reason: `no network namespaces on ${process.platform}` }
  if (process.getuid?.() !== 0) return { network: null, reason: 'network namespaces need root' }
  try {
    removeStaleGroups()
    return { network: await createNetwork(), reason: null }
  } catch (error) {
    return { network: null, reason: error instanceof Error ? error.message : String(error) }
  }
}

async function hold<J extends Job>(client: Child, job: J): Promise<Held<ResultOf[J['kind']]>> {
  const release = async (): Promise<void> => {
    client.process.stdin?.end()
    await within(5000, client.exited)
    await client.stop()
  }
  try {
    return { result: await resultOf(client, job), release }
  } catch (error) {
    await release()
    throw error
  }
}

function plainListeners(places: readonly Place[]): ServerListener[] {
  return places.flatMap((place) => [{ at: place.upstream }, forRelays(place, place.upstreamForRelays)])
}

function tlsListeners(places: readonly Place[]): ServerListener[] {
  return places.flatMap((place) => [{ at: place.upstreamTls }, forRelays(place, place.upstreamTlsForRelays)])
}

function forRelays({ listen, dataPorts: { first } }: Place, at: Place['upstream']): ServerListener {
  return { at, announce: listen.address, passivePorts: { first, last: first + 199 } }
}

function identityOf([place]: readonly Place[]): Pick<ServerOptions, 'identity'> {
  if (place === undefined) return {}
  const { certificate, key } = place.identity
  return { identity: { certificate: readFileSync(certificate, 'utf8'), key: readFileSync(key, 'utf8') } }
}

interface ServerPlace extends Pick<ServerOptions, 'identity'> {
  readonly name: string
  readonly namespace: string | null
  readonly scratch: string
}

async function startServer(
  listeners: readonly ServerListener[],
  { name, namespace, scratch, ...more }: ServerPlace,
): Promise<{ readonly child: Child; readonly cpuMethod: string; readonly cpuSeconds: () => number }> {
  const account = openAccount(name, { isOfOne: true })
  const server = startChild({
    program: process.execPath,
    args: [serverProgram, JSON.stringify({ listeners, ...more } satisfies ServerOptions)],
    namespace,
    account,
    workingDirectory: scratch,
    logFile: join(scratch, `${name}.log`),
    stdout: 'pipe',
  })
  const line = await within(10_000, firstLineOf(server))
  if (line !== 'ready') throw new Error(`the load server is not ready: ${server.logTail()}`)
  return { child: server, cpuMethod: account.method, cpuSeconds: () => account.cpuSeconds(server.pid) }
}

async function resultOf<J extends Job>(client: Child, { kind }: J): Promise<ResultOf[J['kind']]> {
  const line = await within(longestJobMs, firstLineOf(client))
  if (line === null) throw new Error(`a ${kind} job took longer than ${longestJobMs / 1000} s`)
  // Printed by our own load client for this very kind of job.
  if (line.startsWith('{')) return JSON.parse(line) as ResultOf[J['kind']]
  throw new Error(`the load client gave no result for a ${kind} job: ${client.logTail()}`)
}

/** Empty when the child ends without a line. */
function firstLineOf(child: Child): Promise<string> {
  return new Promise((resolve) => {
    let text = ''
    child.process.stdout?.setEncoding('utf8').on('data', (part: string) => {
      text += part
      if (text.includes('\n')) resolve(text.slice(0, text.indexOf('\n')))
    })
    child.exited.then(() => resolve(text))
  })
}
