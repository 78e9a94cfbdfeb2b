import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { printStatus } from '../../../src/cli/status/print.ts'
import { client, observe } from '../observe/fixture.ts'

test('docs/status-page.md shows what it really prints', () => {
  const { observer } = observe()
  observer.listenerStarted({ listener: 'edge', at: { address: '0.0.0.0', port: 2121 }, sessionLimit: 200 })
  const { listeners, ...own } = observer.status()
  const [listener] = listeners
  const session = observer.sessionOpened({ listener: 'edge', client })
  const [view] = observer.sessions().items
  if (listener === undefined || view === undefined) throw new Error('nothing to show')
  session.closed({ reason: 'quit', durationMs: 0 })
  const anna = {
    ...view,
    server_ip: '10.0.0.5',
    server_port: 21,
    session_id: 'k3v9x0q2m1',
    user: 'anna',
    state: 'transfer',
    mode: 'passive',
    last_command: 'RETR',
    download_bytes: 1_500_000,
    age_ms: 72_000,
  } as const
  const backup = {
    ...anna,
    client_ip: '2001:db8::9',
    client_port: 4000,
    session_id: '7a267kfp76',
    user: 'backup',
    state: 'idle',
    mode: null,
    last_command: 'NOOP',
    download_bytes: 0,
    age_ms: 4000,
  } as const
  const edge = {
    sessions_active: 2,
    sessions_total: 1204,
    commands_denied_total: 31,
    data_connections_active: 1,
  }
  const lines = printStatus(
    {
      status: {
        ...own,
        version: '0.1.0',
        hostname: 'gateway',
        uptime_ms: 273_600_000,
        ready: true,
        not_ready_reason: null,
        listeners: [{ ...listener, ...edge, upload_bytes: 9.1e9, download_bytes: 1.5e9 }],
      },
      sessions: { total: 2, sessions: [anna, backup] },
      pinholes: { total: 0, pinholes: [] },
    },
    { width: Number.POSITIVE_INFINITY, isColourful: false, now: new Date('2026-05-04T12:03:04Z') },
  )
  const page = readFileSync(new URL('../../../docs/status-page.md', import.meta.url), 'utf8')
  const shown = /\$ ftp-alg status\n([\s\S]*?)\n…/.exec(page)?.[1]?.split('\n') ?? []
  expect(shown).toEqual(lines.slice(0, shown.length))
  expect(shown).toHaveLength(12)
})
