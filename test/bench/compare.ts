import type { Contestant } from './contestant.ts'
import { enter } from './contestant.ts'
import { describeInstrument, measureInstrument } from './instrument.ts'
import { openFileLimit } from './lab/child.ts'
import type { Lab } from './lab/lab.ts'
import { readMachineTime, shareOfOthers } from './lab/machine-load.ts'
import type { Place } from './lab/place.ts'
import type { What } from './options.ts'
import type { Plan } from './plan.ts'
import { describeMachine } from './report/machine.ts'
import { writeReport, writeTlsSection } from './report/markdown.ts'
import { summarize } from './report/summary.ts'
import { judge, judgeGrowth } from './report/targets.ts'
import { formatTable } from './report/terminal.ts'
import { runMeasure } from './runner.ts'
import { direct } from './systems/direct.ts'
import { warmUp } from './warm-up.ts'

export interface CompareOptions {
  /** Write docs/benchmarks.md as well. */
  readonly write: boolean
  /** `npm run bench -- all --write`, for the page. */
  readonly commandLine: string
  readonly what: What
}

/** Weighs the instrument, enters the systems, asks every question and prints each answer as it comes. */
export async function compare(
  lab: Lab,
  plan: Plan,
  { write, commandLine, what }: CompareOptions,
): Promise<void> {
  const startedAt = Date.now()
  const machineBefore = readMachineTime()
  const [groundPlace, ...places] = lab.places
  if (groundPlace === undefined) throw new Error('the lab has no place')
  const ground = await enter(lab, direct, groundPlace)
  if ('refusal' in ground) throw new Error(`the load client cannot reach the load server: ${ground.refusal}`)
  const instrument = await measureInstrument(lab, ground, Math.min(3, plan.rounds))
  say(describeInstrument(instrument))

  const { contestants, refusals } = await enterAll(lab, plan, places)
  await warmUp(lab, contestants, plan.warmUpSessions)
  const titles = new Map(contestants.map(({ system }) => [system.id, system.title]))
  const tables = []
  for (const measure of plan.measures) {
    const table = summarize(await runMeasure(lab, measure, contestants, plan.rounds))
    if (table.rows.length === 0) {
      const limit = openFileLimit().toLocaleString('en')
      say(`${measure.title}: left out, it suits no system of this run (each may open ${limit} files)\n`)
      continue
    }
    tables.push(table)
    say(formatTable(table, titles))
  }
  const verdicts = [...judge(tables, titles), ...judgeGrowth(tables, titles)]
  for (const { met, sentence } of verdicts) say(`${met ? 'met     ' : 'NOT MET '} ${sentence}`)
  const ownSeconds = contestants.reduce(
    (sum, contestant) => sum + contestant.cpuSeconds(),
    lab.serverCpuSeconds() + lab.clientCpuSeconds(),
  )
  const others = shareOfOthers(machineBefore, readMachineTime(), ownSeconds)
  say(
    `\n${plan.rounds} rounds in ${Math.round((Date.now() - startedAt) / 1000)} s; CPU by ${lab.cpuMethod}; ratios in brackets refer to the other build, else to Squid, nf_nat_ftp, mod_proxy or HAProxy.`,
  )
  if (others > tolerableShare) say(noiseWarning(others))
  if (write) {
    const files = (what === 'tls' ? writeTlsSection : writeReport)({
      tables,
      verdicts,
      instrument,
      systems: contestants.map(({ system, version }) => ({ id: system.id, title: system.title, version })),
      refusals,
      machine: describeMachine(),
      rounds: plan.rounds,
      cpuMethod: lab.cpuMethod,
      noise: others > tolerableShare ? noiseWarning(others) : null,
      command: commandLine,
    })
    say(`wrote ${files.join(', ')}`)
  }
}

/** Of the machine's CPU, for others. */
const tolerableShare = 0.1

function noiseWarning(share: number): string {
  return `Other processes (and the hypervisor) used ${Math.round(100 * share)} % of the machine's CPU meanwhile: CPU ratios still tell something, rates and waiting times little.`
}

/** Those that cannot take part are named and left out. */
async function enterAll(
  lab: Lab,
  plan: Plan,
  places: readonly Place[],
): Promise<{ readonly contestants: Contestant[]; readonly refusals: string[] }> {
  const systems = plan.systems.filter(
    ({ id, role }) => lab.kind === 'namespace' || role === 'ftp-alg' || id === 'naive',
  )
  const contestants: Contestant[] = []
  const refusals: string[] = []
  for (const [i, system] of systems.entries()) {
    const place = places[i]
    if (place === undefined) continue
    const entry = await enter(lab, system, place)
    if ('refusal' in entry) {
      refusals.push(`${system.title} was not measured: ${entry.refusal}`)
      say(`${refusals.at(-1)}\n`)
    } else {
      contestants.push(entry)
    }
  }
  return { contestants, refusals }
}

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}
