import { readdirSync } from 'node:fs'
import type { Contestant } from '../contestant.ts'
import { command } from '../lab/command.ts'
import { pause } from '../measures/measure.ts'

/** What a process holds at one moment. */
export interface State {
  readonly memoryMb: number
  readonly files: number
  readonly sessions: number
  /** Data ports that carry a pinhole. */
  readonly ports: number
  /** In our nftables tables; null for a system that has none. */
  readonly elements: number | null
}

export async function readState(contestant: Contestant): Promise<State> {
  const { place, child, system } = contestant
  if (child === null) throw new Error(`${system.title} has no process`)
  const { address } = place.listen
  const exposition = await within(contestant, process.execPath, [
    '-e',
    `fetch('http://${address}:${place.adminPort}/metrics').then((r) => r.text()).then((t) => process.stdout.write(t))`,
  ])
  const hasTables = system.needsNamespace
  return {
    memoryMb: contestant.memoryKb() / 1024,
    files: await lowestCount(() => readdirSync(`/proc/${child.pid}/fd`).length),
    sessions: sumOf(exposition, 'ftp_alg_sessions_active'),
    ports: sumOf(exposition, 'ftp_alg_port_pool_in_use'),
    elements: hasTables ? countElements(await within(contestant, 'nft', ['-j', 'list', 'ruleset'])) : null,
  }
}

/** A file that is just being looked at, or the question for metrics itself, is open for a moment. */
async function lowestCount(count: () => number): Promise<number> {
  let lowest = count()
  for (let again = 0; again < 10; again++) {
    await pause(100)
    lowest = Math.min(lowest, count())
  }
  return lowest
}

/** Runs a program in the network namespace of the system. */
function within({ place }: Contestant, program: string, args: readonly string[]): Promise<string> {
  if (place.namespace === null) return command(program, ...args)
  return command('nsenter', `--net=/run/netns/${place.namespace}`, '--', program, ...args)
}

function sumOf(exposition: string, family: string): number {
  const samples = exposition.split('\n').filter((line) => line.startsWith(`${family}{`))
  if (samples.length === 0) throw new Error(`/metrics has no ${family}`)
  return samples.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
}

/** Of sets and maps, in the JSON of `nft list ruleset`. */
function countElements(ruleset: string): number {
  const { nftables } = JSON.parse(ruleset) as { nftables: readonly Listed[] }
  return nftables.reduce((sum, { set, map }) => sum + ((set ?? map)?.elem?.length ?? 0), 0)
}

interface Listed {
  readonly set?: { readonly elem?: readonly unknown[] }
  readonly map?: { readonly elem?: readonly unknown[] }
}
