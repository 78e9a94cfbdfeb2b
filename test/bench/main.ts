// The benchmark: builds the lab, enters the systems, asks the questions, reports. See options.ts for the command line.

import { compare } from './compare.ts'
import { openLab } from './lab/lab.ts'
import { parseOptions, usage, type What } from './options.ts'
import { makePlan } from './plan.ts'
import { profileRelay } from './profile/profile.ts'
import { type SoakKind, soak, soakPlaces } from './soak/soak.ts'

const argv = process.argv.slice(2)
if (argv.includes('--help') || argv.includes('-h')) {
  process.stdout.write(usage)
  process.exit(0)
}
const parsed = parseOptions(argv)
if (!parsed.ok) quitWith(parsed.problem)
const plan = makePlan(parsed.options)
if ('problem' in plan) quitWith(plan.problem)

const { what, minutes, write } = parsed.options
const lab = await openLab({
  places: isSoak(what) ? soakPlaces(what) : plan.systems.length + 1,
  needsTls: what === 'soak-ftps' || plan.systems.some(({ tls }) => tls !== undefined),
})
let isInterrupted = false
const interrupted = async (): Promise<never> => {
  process.stderr.write('\ninterrupted; tidying up\n')
  isInterrupted = true
  await lab.close()
  process.exit(130)
}
process.once('SIGINT', interrupted)
process.once('SIGTERM', interrupted)
process.once('SIGHUP', interrupted)
try {
  if (lab.reason !== null) say(`On loopback, with ftp-alg and the naive relay only: ${lab.reason}.\n`)
  if (what === 'profile') await profileRelay(lab)
  else if (isSoak(what)) process.exitCode = (await soak(lab, what, minutes)) ? 0 : 1
  else await compare(lab, plan, { write, what, commandLine: ['npm run bench --', ...argv].join(' ') })
} catch (error) {
  // Whatever was under way when everything was stopped has failed, and that is not news.
  if (!isInterrupted) throw error
} finally {
  await lab.close()
}

function isSoak(plan: What): plan is SoakKind {
  return plan === 'soak' || plan === 'soak-ftps'
}

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}

function quitWith(problem: string): never {
  process.stderr.write(`${problem}\n\n${usage}`)
  process.exit(2)
}
