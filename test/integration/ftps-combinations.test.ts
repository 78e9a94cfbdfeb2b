// Every way in before every way on: plain, explicit and implicit on either side, PROT C and P on either side, all that clients
// and upstreamMode can ask for, IPv4 and IPv6. Every encrypted data connection must resume, on both sides.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { App } from '../../src/app.ts'
import { loadConfig } from '../../src/config/load.ts'
import { createObserver, type Recorder } from '../../src/observe/recorder.ts'
import { issueCertificate } from '../support/certificates.ts'
import { FtpsClient } from '../support/peers/ftps-client.ts'
import { type FtpsServer, startFtpsServer, type TlsMode } from '../support/peers/ftps-server.ts'
import { payloadSha256 } from '../support/peers/payload.ts'
import { claimPorts, type PortBlock } from '../support/port-block.ts'

const modes = ['plain', 'explicit', 'implicit'] as const
const upstreamModes = ['client', 'passive', 'active'] as const
const byteCount = 100_003
const sha256 = payloadSha256(byteCount)

interface Way {
  readonly name: string
  readonly front: TlsMode
  readonly back: TlsMode
  /** PROT towards the server. */
  readonly backData: 'C' | 'P'
  readonly upstreamMode: (typeof upstreamModes)[number]
}

const ways: readonly Way[] = modes.flatMap((front) =>
  modes.flatMap((back) =>
    (back === 'plain' ? (['C'] as const) : (['C', 'P'] as const)).flatMap((backData) =>
      upstreamModes.map((upstreamMode) => ({
        name: `${front}-${back}-${backData}-${upstreamMode}`,
        front,
        back,
        backData,
        upstreamMode,
      })),
    ),
  ),
)

const folder = mkdtempSync(join(tmpdir(), 'ftp-alg-combinations-'))
const servers: FtpsServer[] = []
const blocks: PortBlock[] = []
const at = new Map<string, number>()
let app: App
let observer: Recorder

beforeAll(async () => {
  const certificate = issueCertificate({ name: 'localhost', names: ['localhost'] })
  writeFileSync(join(folder, 'a.crt'), certificate.certificate)
  writeFileSync(join(folder, 'a.key'), certificate.key, { mode: 0o600 })
  const back = new Map<TlsMode, number>()
  for (const mode of modes) {
    const server = await startFtpsServer({ address: '127.0.0.1', mode, certificate })
    servers.push(server)
    back.set(mode, server.port)
  }
  const [listening, data] = [await claimPorts(), await claimPorts()]
  blocks.push(listening, data)
  const listeners = ways.map(({ name, front, back: mode, backData, upstreamMode }, index) => {
    const files = `[{ certificate: ${folder}/a.crt, key: ${folder}/a.key }]`
    const tls = { plain: 'off', explicit: 'required', implicit: 'implicit' }[front]
    const backMode = { plain: 'off', explicit: 'required', implicit: 'implicit' }[mode]
    const protection = backData === 'P' ? 'required' : 'never'
    return `  - name: ${name}
    listen: '[::]:${listening.first + index}'
    upstream: 127.0.0.1:${back.get(mode)}
    upstreamMode: ${upstreamMode}
    tls: { mode: ${tls}, dataReuse: required, certificates: ${tls === 'off' ? '[]' : files} }
    upstreamTls: { mode: ${backMode}, verify: none, dataProtection: ${protection} }
`
  })
  const file = join(folder, 'config.yaml')
  writeFileSync(
    file,
    `listeners:\n${listeners.join('')}dataPorts: ${data.first}-${data.last}\nadmin: false\n`,
  )
  const { config } = loadConfig({ flags: { config: file }, environment: {} })
  observer = createObserver({ config, version: '0', logOutput: { write: () => undefined } })
  app = new App({ config, observer })
  const started = await app.start()
  for (const {
    name,
    at: { port },
  } of started.listeners)
    at.set(name, port)
})

afterAll(async () => {
  await app?.stop()
  for (const server of servers) server.close()
  for (const block of blocks) block.release()
  rmSync(folder, { recursive: true, force: true })
})

describe.each(ways)('$front before $back with PROT $backData, upstreamMode $upstreamMode', (way) => {
  const protections = way.front === 'plain' ? ['C'] : ['C', 'P']

  it.each(protections)(
    'carries files both ways with PROT %s, in every mode and family',
    async (protection) => {
      const version = way.backData === 'P' ? 'TLSv1.3' : 'TLSv1.2'
      for (const [address, verbs] of [
        ['127.0.0.1', ['PASV', 'EPSV', 'PORT', 'EPRT']],
        ['::1', ['EPSV', 'EPRT']],
      ] as const) {
        const visit = { address, port: at.get(way.name) ?? 0, mode: way.front, version } as const
        const client = await FtpsClient.login({ ...visit, isPrivate: protection === 'P' })
        try {
          for (const [nth, verb] of verbs.entries()) {
            // Each verb one way here, the other in the next combination.
            const what = (ways.indexOf(way) + nth) % 2 === 0 ? 'download' : 'upload'
            expect(await client[what](verb, byteCount), `${address} ${verb} ${what}`).toBe(sha256)
          }
          await client.quit()
        } finally {
          client.destroy()
        }
      }
    },
  )
})

it('leaves nothing behind', async () => {
  await vi.waitFor(() => {
    const { listeners, pools } = observer.status()
    const left = listeners.map(({ sessions_active, data_connections_active, pinholes_active }) => [
      sessions_active,
      data_connections_active,
      pinholes_active,
    ])
    expect(new Set(left.flat())).toEqual(new Set([0]))
    expect(pools.every(({ in_use }) => in_use === 0)).toBe(true)
  })
})
