import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { events } from '../../../src/observe/log/events.ts'
import { client, observe, server } from './fixture.ts'
import { logCallsOfOtherRooms } from './log-calls.ts'

const page = readFileSync(new URL('../../../docs/logs.md', import.meta.url), 'utf8')
/** What other rooms say stands in a table of its own. */
const [, otherPart = ''] = page.split('### Start, stop, names, workers, the kernel')

interface Documented {
  readonly event: string
  readonly level: string
  readonly message: string
  readonly fields: readonly string[]
}

function rowsOf(part: string): readonly Documented[] {
  const rows = part.matchAll(/^\| `([\w.]+)` \| (debug|info|warn|error) \| (.+?) \| (.+) \|$/gm)
  return [...rows].map(([, event = '', level = '', message = '', fields = '']) => ({
    event,
    level,
    message,
    fields: [...fields.matchAll(/`(\w+)`/g)].map((match) => match[1] ?? ''),
  }))
}

function documentedEvents(): ReadonlyMap<string, Documented> {
  return new Map(rowsOf(page).map((row) => [row.event, row]))
}

/** Names in the last table of the page. */
function documentedFields(): readonly string[] {
  const [, section = ''] = page.split('## Fields')
  return [...section.matchAll(/^\| `(\w+)` \| .+ \|$/gm)].map(([, field = '']) => field)
}

const always = ['time', 'level', 'event', 'message']
const ofSession = ['session_id', 'listener', 'client_ip']

/** Said by the admin server, the transfer log and the log itself; their own tests read their lines. */
const saidElsewhere = [
  'admin.error',
  'admin.act',
  'admin.refuse',
  'admin.fail',
  'transfers.open',
  'transfers.fail',
  'transfers.recover',
  'log.suppress',
  'log.lose',
]

/** Every other event with every field that it can have. */
function sayEverything() {
  const { observer, lines } = observe()
  observer.listenerStarted({ listener: 'edge', at: server, sessionLimit: 1 })
  for (const isDrained of [true, false]) observer.listenerDrained({ listener: 'edge', isDrained })
  observer.tcpChosen({ implementation: 'node', reason: 'x' })
  observer.draining()
  for (const isUp of [false, true]) {
    observer.upstreamServerChanged({
      pool: 'files',
      server: 'ftp-a:21',
      address: '192.0.2.7',
      isUp,
      why: 'x',
    })
  }
  const certificate = {
    listener: 'edge',
    side: 'client',
    file: '/etc/ftp-alg/edge.crt',
    subject: 'CN=edge',
    expiresMs: Date.now(),
  } as const
  observer.certificatesRead({ listener: 'edge', certificates: [certificate], failure: null })
  observer.certificatesRead({ listener: 'edge', certificates: [], failure: new Error('mistake') })
  observer.certificateExpires(certificate)
  observer.configReloaded(null)
  observer.configReloaded(new Error('mistake'))
  observer.sessionRejected({ listener: 'edge', client, reason: 'limit' })
  observer.pinholeIntruded({ from: client, port: 30_000, reason: 'late' })
  observer.interceptionChecked('table inet ftp_alg_intercept is not loaded')
  observer.interceptionChecked(null)
  observer.pinholeSwallowed({ session: 's', peer: '192.0.2.1', at: server, chain: 'forward' })
  const session = observer.sessionOpened({
    listener: 'edge',
    client,
    introduction: { serverName: 'a.example.net', tls: 'TLSv1.3' },
  })
  session.routed({ route: 'partners' })
  session.upstreamConnected({ server, durationMs: 1 })
  session.upstreamFailed({ server: 'ftp.internal', reason: 'refused', detail: 'x' })
  session.record({ type: 'reply', code: 421, line: '421 Too many.' })
  session.translationForgotten({ isRestored: true })
  session.translationForgotten({ isRestored: false })
  session.record({ type: 'command', verb: 'RETR', line: 'RETR a' })
  session.record({ type: 'reply', code: 226, line: '226 done' })
  session.record({ type: 'login', user: 'anna', accepted: false, code: 530 })
  session.record({ type: 'login', user: 'anna', accepted: true, code: 230 })
  session.record({ type: 'rewrite', kind: 'port', from: client, to: server })
  session.record({ type: 'conversion', from: 'active', to: 'passive' })
  session.record({ type: 'refusal', verb: 'PORT', reason: 'bounce', code: 501, detail: 'x' })
  session.record({ type: 'protocolError', side: 'server', reason: 'bad_reply', detail: 'x' })
  const backend = 'relay'
  session.pinholeOpened({
    pinhole: 1,
    from: 'client',
    expect: client.address,
    announce: server,
    target: server,
    backend,
    durationMs: 1,
  })
  session.pinholeClosed({ pinhole: 1, backend, reason: 'abandoned', endedBy: 'unused', ageMs: 1 })
  session.pinholeFailed({ pinhole: 2, reason: 'share', detail: 'x' })
  session.pinholeFailed({ pinhole: 3, reason: 'backend', detail: 'x' })
  const channel = { channel: 1, mode: 'active', path: 'relay' } as const
  session.dataFailed({ channel: 2, mode: 'active', side: 'client', reason: 'timeout' })
  session.dataOpened({ ...channel, setupMs: 1 })
  session.record({ type: 'transfer', verb: 'RETR', path: 'a', code: 226, channel: 1 })
  session.dataEnded({ ...channel, uploadBytes: 0, downloadBytes: 1, durationMs: 1, result: 'ok' })
  const shaken = {
    protocol: 'TLSv1.3',
    cipher: 'x',
    isResumed: true,
    serverName: 'y',
    durationMs: 1,
  } as const
  session.tls({ type: 'secured', side: 'client', channel: 'control', ...shaken })
  session.tls({ type: 'failed', side: 'client', channel: 'control', reason: 'version', detail: 'x' })
  session.tls({ type: 'failed', side: 'client', channel: 'data', reason: 'not_resumed', detail: 'x' })
  session.tls({ type: 'truncated', side: 'client' })
  session.tls({ type: 'flooded', side: 'client' })
  session.tls({ type: 'downgraded', side: 'server', detail: 'x' })
  session.record({ type: 'passedThrough', kind: 'explicit' })
  session.failed(new Error('boom'))
  session.closed({ reason: 'quit', durationMs: 1 })
  return { lines, sessionId: session.id }
}

describe('docs/logs.md', () => {
  test('lists every event with its level and message, and no other', () => {
    const documented = Object.fromEntries(
      [...documentedEvents()].map(([event, { level, message }]) => [event, { level, message }]),
    )
    expect(documented).toEqual(events)
  })

  test('lists the fields of every event, as lines have them', () => {
    const { lines, sessionId } = sayEverything()
    const documented = documentedEvents()
    const seen = new Set<string>()
    for (const line of lines()) {
      const event = String(line.event)
      seen.add(event)
      const expected = [
        ...always,
        ...(line.session_id === sessionId ? ofSession : []),
        ...(documented.get(event)?.fields ?? []),
      ]
      expect([event, Object.keys(line).sort()]).toEqual([event, expected.sort()])
    }
    const others = new Set(rowsOf(otherPart).map(({ event }) => event))
    const unsaid = [...documented.keys()].filter((event) => !seen.has(event) && !others.has(event))
    expect(unsaid).toEqual(saidElsewhere)
  })

  test('lists the fields of what other rooms say, as their source has them', () => {
    const inOrder = (rows: readonly Pick<Documented, 'event' | 'fields'>[]) =>
      rows.map(({ event, fields }) => JSON.stringify([event, fields])).sort()
    // One call says either of these: the tests of the nftables backend have their fields.
    const named = rowsOf(otherPart).filter(({ event }) => !['tables.lose', 'tables.change'].includes(event))
    expect(inOrder(named)).toEqual([...new Set(inOrder(logCallsOfOtherRooms()))])
  })

  test('explains every field, and no other', () => {
    const used = new Set([...always, ...ofSession, ...rowsOf(page).flatMap(({ fields }) => fields)])
    expect([...documentedFields()].sort()).toEqual([...used].sort())
  })

  test('gives a fail2ban expression that matches a real line', () => {
    const expression = /^failregex = (.+)$/m.exec(page)?.[1]?.replace('<HOST>', '(?<host>[\\d.]+)') ?? '(?!)'
    const { lines } = sayEverything()
    const hosts = lines()
      .map((line) => new RegExp(expression).exec(JSON.stringify(line))?.groups?.host)
      .filter((host) => host !== undefined)
    expect(hosts).toEqual(['203.0.113.9'])
  })
})
