import { beforeAll, describe, expect, it } from 'vitest'
import { prometheusFolder } from '../../support/alerts.ts'
import { openPromtool, type Promtool, promtoolMissing } from '../../support/promtool.ts'

describe.skipIf(promtoolMissing() !== null)('promtool', () => {
  let run: Promtool

  beforeAll(async () => {
    run = await openPromtool()
  })

  async function promtool(...args: readonly string[]) {
    const { exitCode, stdout, stderr } = await run(args, { cwd: prometheusFolder })
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
