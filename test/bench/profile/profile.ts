import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { enter } from '../contestant.ts'
import type { Lab } from '../lab/lab.ts'
import { ftpAlg, ownDist } from '../systems/ftp-alg.ts'
import { warmUpSessions } from '../warm-up.ts'
import type { CpuProfile, Spending } from './cpu-profile.ts'
import { addUp } from './cpu-profile.ts'

const seconds = 6
const lines = 40
/** Finer than V8's own thousand microseconds, coarse enough not to disturb. */
const samplingIntervalUs = 250

/** Loads ftp-alg with sessions under V8's profiler and prints who took the time, by self and by total. */
export async function profileRelay(lab: Lab): Promise<void> {
  const place = lab.places[1] ?? lab.places[0]
  if (place === undefined) throw new Error('the lab has no place')
  const file = join(place.directory, 'ftp-alg.cpuprofile')
  const recorder = new URL('./record-cpu.js', import.meta.url)
  recorder.search = new URLSearchParams({ file, intervalUs: String(samplingIntervalUs) }).toString()
  const nodeArgs = ['--import', recorder.href]
  const contestant = await enter(lab, ftpAlg({ nodeArgs }), place)
  if ('refusal' in contestant) throw new Error(contestant.refusal)
  const job = {
    kind: 'sessions',
    target: contestant.target,
    clients: 16,
    fileBytes: 1000,
    perSecond: 0,
  } as const
  await warmUpSessions(lab, [contestant])
  const before = contestant.cpuSeconds()
  const begunAt = performance.now()
  const { completed } = await lab.run({ ...job, seconds })
  const cpu = contestant.cpuSeconds() - before
  await contestant.stop()
  const lastMicroseconds = (performance.now() - begunAt) * 1000

  if (!existsSync(file)) throw new Error(`no ${file}: ftp-alg did not end by itself on SIGTERM`)
  // Written by V8 in the format of Profiler.Profile.
  const profile = JSON.parse(readFileSync(file, 'utf8')) as CpuProfile
  const spending = addUp(profile, { shorten, lastMicroseconds })
  process.stdout.write(
    `${completed} sessions, ${((1000 * cpu) / completed).toFixed(2)} ms of CPU each (profiled, so dearer than they are)\n\n`,
  )
  process.stdout.write(
    `${formatFunctions(spending, 'selfMs')}\n${formatFunctions(spending, 'totalMs')}\n${formatFiles(spending)}`,
  )
}

/** `file:///…/dist/net/session.js` gives `net/session.js`. */
function shorten(url: string): string {
  return url
    .replace(/^file:\/\//, '')
    .replace(`${ownDist}/`, '')
    .replace(/^.*node_modules\//, '')
}

function formatFunctions({ spenders, busyMs }: Spending, by: 'selfMs' | 'totalMs'): string {
  const title = by === 'selfMs' ? 'By self time' : 'By total time, with everything called'
  const ordered = [...spenders].sort((a, b) => b[by] - a[by]).slice(0, lines)
  const rows = ordered.map(({ name, selfMs, totalMs }) => {
    const percent = (value: number): string => `${((100 * value) / busyMs).toFixed(1)} %`.padStart(7)
    return `${percent(selfMs)} ${percent(totalMs)}  ${name}`
  })
  return `${title} (of ${(busyMs / 1000).toFixed(1)} s busy)\n   self   total\n${rows.join('\n')}\n`
}

function formatFiles({ files, busyMs }: Spending): string {
  const rows = files
    .slice(0, 25)
    .map(({ name, selfMs }) => `${((100 * selfMs) / busyMs).toFixed(1).padStart(5)} %  ${name}`)
  return `By file, self time\n${rows.join('\n')}\n`
}
