// `npm run ordinary-hour -- --minutes 60`: ordinary traffic before a real Prometheus, with the rules as shipped.

import { spawnSync } from 'node:child_process'
import { parseArgs } from 'node:util'

const usage = `npm run ordinary-hour -- [--minutes N]

  --minutes N  how long; default 60
`

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '60' }, help: { type: 'boolean', default: false } },
})
if (values.help) {
  process.stdout.write(usage)
  process.exit(0)
}
if (!(Number(values.minutes) >= 1)) {
  process.stderr.write(`--minutes must be a number from 1, given ${values.minutes}\n\n${usage}`)
  process.exit(2)
}
const config = new URL('../../vitest.config.ts', import.meta.url).pathname
const vitest = new URL('../../../node_modules/vitest/vitest.mjs', import.meta.url).pathname
const args = [vitest, 'run', '--config', config, '--project', 'ordinary-hour', '--disable-console-intercept']
const env = { ...process.env, ORDINARY_MINUTES: values.minutes }
const { status } = spawnSync(process.execPath, args, { env, stdio: 'inherit' })
process.exit(status ?? 1)
