// `npm run chaos -- --minutes 20 --seed 7`: the chaos suite for longer than `npm test` has time for.

import { spawnSync } from 'node:child_process'
import { parseArgs } from 'node:util'

const usage = `npm run chaos -- [--minutes N] [--seed N] [--lane NAME] [--only N]

  --minutes N  how long, all lanes together; default 2
  --seed N     the seed of a run before; default: another one each time
  --lane NAME  relay, without-koffi, workers or nftables; default: one after the other
  --only N     nothing but the session of this number, as a wrong outcome names it
`

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '2' },
    seed: { type: 'string' },
    lane: { type: 'string' },
    only: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})
if (values.help) {
  process.stdout.write(usage)
  process.exit(0)
}
for (const name of ['minutes', 'seed', 'only']) {
  if (values[name] !== undefined && !(Number(values[name]) >= 0)) {
    process.stderr.write(`--${name} must be a number, given ${values[name]}\n\n${usage}`)
    process.exit(2)
  }
}
const lanes = ['relay', 'without-koffi', 'workers', 'nftables']
if (values.lane !== undefined && !lanes.includes(values.lane)) {
  process.stderr.write(`--lane must be one of ${lanes.join(', ')}, given ${values.lane}\n\n${usage}`)
  process.exit(2)
}
const env = {
  ...process.env,
  CHAOS_MINUTES: values.minutes,
  CHAOS_SEED: String(Math.floor(Math.random() * 2 ** 32)),
}
for (const name of ['seed', 'lane', 'only']) {
  if (values[name] !== undefined) env[`CHAOS_${name.toUpperCase()}`] = values[name]
}
const config = new URL('../vitest.config.ts', import.meta.url).pathname
const vitest = new URL('../../node_modules/vitest/vitest.mjs', import.meta.url).pathname
const args = [vitest, 'run', '--config', config, '--project', 'chaos', '--disable-console-intercept']
const { status } = spawnSync(process.execPath, args, { env, stdio: 'inherit' })
process.exit(status ?? 1)
