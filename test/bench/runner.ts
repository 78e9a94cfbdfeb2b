import type { Contestant } from './contestant.ts'
import { type Lab, LabBroken } from './lab/lab.ts'
import type { Measure, Reading } from './measures/measure.ts'

/** All readings of one measure, by system id, in the order of the rounds. */
export interface Findings {
  readonly measure: Measure
  readonly readings: ReadonlyMap<string, readonly Reading[]>
}

/** Puts one question to all contestants in turn, and again, so that whatever disturbs the machine disturbs them alike. */
export async function runMeasure(
  lab: Lab,
  measure: Measure,
  contestants: readonly Contestant[],
  rounds: number,
): Promise<Findings> {
  const readings = new Map<string, Reading[]>()
  const suitable = contestants.filter((contestant) => measure.suits(contestant))
  for (const { system } of suitable) readings.set(system.id, [])
  for (let round = 0; round < Math.min(rounds, measure.rounds ?? rounds); round++) {
    // Nobody is always the first after a pause.
    for (const contestant of round % 2 === 0 ? suitable : suitable.toReversed()) {
      showProgress(`${measure.title}: round ${round + 1}, ${contestant.system.title}`)
      readings.get(contestant.system.id)?.push(await read(lab, measure, contestant))
    }
  }
  showProgress('')
  return { measure, readings }
}

async function read(lab: Lab, measure: Measure, contestant: Contestant): Promise<Reading> {
  try {
    return await measure.run(lab, contestant)
  } catch (error) {
    if (error instanceof LabBroken) throw error
    const reason = error instanceof Error ? error.message : String(error)
    // A system that is stuck or dead gets a new process, so that the next question is a fair one.
    await contestant.restart().catch(() => {})
    return { values: {}, failures: { [reason]: 1 } }
  }
}

/** One line that overwrites itself; nothing when nobody looks. */
function showProgress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`)
}
