import { beforeAll, describe, expect, test } from 'vitest'
import { openPromtool, type Promtool, promtoolMissing } from '../../support/promtool.ts'
import { client, observe, server } from './fixture.ts'

const missing = promtoolMissing()

describe.skipIf(missing !== null)('promtool', () => {
  let promtool: Promtool

  beforeAll(async () => {
    promtool = await openPromtool()
  }, 300_000)

  /** Exit code 0 and silence, or what it has to say. */
  async function check(exposition: string) {
    const { exitCode, stdout, stderr } = await promtool(['check', 'metrics'], { input: exposition })
    return { exitCode, said: stdout + stderr }
  }

  test('finds nothing to blame, on a fresh process and on one that has seen everything', async () => {
    const { observer } = observe()
    observer.poolsMeasuredBy(() => [{ pool: 'shared', ports: 10, inUse: 1, quarantined: 2 }])
    expect(await check(await observer.exposition())).toEqual({ exitCode: 0, said: '' })

    const session = observer.sessionOpened({ listener: 'edge', client })
    session.upstreamConnected({ server, durationMs: 0.4 })
    session.record({ type: 'command', verb: 'RETR', line: 'RETR a' })
    session.dataOpened({ channel: 1, mode: 'passive', path: 'relay', setupMs: 1 })
    session.closed({ reason: 'quit', durationMs: 12.5 })
    expect(await check(await observer.exposition())).toEqual({ exitCode: 0, said: '' })
  })

  test('would say so if a metric were named badly', async () => {
    const { exitCode, said } = await check(
      '# HELP ftp_alg_wait_ms Wait.\n# TYPE ftp_alg_wait_ms gauge\nftp_alg_wait_ms 1\n',
    )
    expect(exitCode).toBe(3)
    expect(said).toContain('ftp_alg_wait_ms')
  })
})
