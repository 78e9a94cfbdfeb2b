import { expect, test } from 'vitest'
import { Ledger } from '../../../src/cluster/ledger.ts'
import type { Snapshot } from '../../../src/cluster/messages.ts'
import { formatExposition } from '../../../src/observe/metrics/exposition.ts'
import { observe } from '../observe/fixture.ts'

async function snapshotOfSessions(count: number): Promise<Snapshot> {
  const { observer } = observe()
  for (let nth = 0; nth < count; nth += 1) {
    observer.sessionOpened({ listener: 'edge', client: { address: '10.0.0.1', port: 1 } })
  }
  return {
    families: await observer.families(),
    status: { ...observer.status(), log_lines_lost: count },
    sessions: observer.sessions(),
    pinholes: observer.pinholes(),
  }
}

test('a worker’s last figures stay when it is gone, those of its successor add to them', async () => {
  const ledger = new Ledger()
  for (const sessions of [2, 3, 4]) {
    ledger.reported(0, await snapshotOfSessions(sessions))
    ledger.reported(0, await snapshotOfSessions(sessions + 1))
    ledger.ended(0)
  }
  const living = await snapshotOfSessions(7)
  ledger.reported(1, living)
  expect(ledger.last).toEqual([living])
  const exposition = await formatExposition([await ledger.goneFamilies])
  const status = ledger.goneStatus
  expect(exposition).toContain('\nftp_alg_sessions_total{listener="edge"} 12\n')
  expect(exposition).not.toContain('ftp_alg_sessions_active')
  expect(status).toMatchObject({ log_lines_lost: 12, memory_rss_bytes: 0 })
  expect(status?.listeners[0]).toMatchObject({ sessions_total: 12, sessions_active: 0 })
})

test('a worker that ends before it was heard leaves nothing', async () => {
  const ledger = new Ledger()
  ledger.ended(0)
  expect(await ledger.goneFamilies).toEqual([])
  expect(ledger.goneStatus).toBeNull()
})
