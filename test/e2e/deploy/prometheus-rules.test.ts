import { beforeAll, describe, expect, it } from 'vitest'
import { prometheusFolder } from '../../support/alerts.ts'
import { type DebianTree, debianRootMissing, debianTree } from '../../support/debian.ts'
import { runProgram } from '../../support/programs.ts'

const missing = debianRootMissing('promtool, of Debian’s prometheus package,')

describe.skipIf(missing !== null)('promtool', () => {
  let prometheus: DebianTree

  beforeAll(async () => {
    prometheus = await debianTree(['prometheus'])
  })

  async function promtool(...args: readonly string[]) {
    const argv = [prometheus.program('usr/bin/promtool'), ...args]
    const { exitCode, stdout, stderr } = await runProgram(argv, {
      env: prometheus.env,
      cwd: prometheusFolder,
      timeoutMs: 180_000,
    })
    return { exitCode, said: stdout + stderr }
  }

  it('finds nothing to blame in the rules', async () => {
    const { exitCode, said } = await promtool('check', 'rules', '--lint=all', 'alerts.yml', 'recording.yml')
    expect(exitCode, said).toBe(0)
    expect(said.match(/SUCCESS/g)).toHaveLength(2)
  })

  it('sees every alert fire and fall silent as alerts_test.yml says', async () => {
    const { exitCode, said } = await promtool('test', 'rules', 'alerts_test.yml')
    expect(exitCode, said).toBe(0)
    expect(said).toContain('SUCCESS')
  })
})
