// Servers that are spoken to as their pool says, whatever the listener has: TLS, mode and verbs, behind one port for clients.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { App } from '../../src/app.ts'
import { loadConfig } from '../../src/config/load.ts'
import { createObserver } from '../../src/observe/recorder.ts'
import { issueCertificate } from '../support/certificates.ts'
import { ftpScript } from '../support/peers/ftp-script.ts'
import { FtpsClient } from '../support/peers/ftps-client.ts'
import { startFtpsServer, type TlsMode } from '../support/peers/ftps-server.ts'
import { payloadSha256 } from '../support/peers/payload.ts'
import { startScriptedServer } from '../support/peers/scripted-server.ts'
import { claimPorts, type PortBlock } from '../support/port-block.ts'

const folder = mkdtempSync(join(tmpdir(), 'ftp-alg-manners-'))
const servers: { close(): void }[] = []
/** What the server of the pool `introduced` was sent first. */
let header = ''
const lines: string[] = []
let data: PortBlock
let app: App
let port: number

beforeAll(async () => {
  const certificate = issueCertificate({ name: 'localhost', names: ['localhost'] })
  writeFileSync(join(folder, 'a.crt'), certificate.certificate)
  writeFileSync(join(folder, 'a.key'), certificate.key, { mode: 0o600 })
  const start = async (mode: TlsMode) => {
    const server = await startFtpsServer({ address: '127.0.0.1', mode, certificate })
    servers.push(server)
    return server.port
  }
  const [plain, explicit, other, implicit] = [
    await start('plain'),
    await start('explicit'),
    await start('explicit'),
    await start('implicit'),
  ]
  const introduced = await startScriptedServer({
    script: async (visit) => {
      const head = await visit.wire.readBytes(16)
      header = head + (await visit.wire.readBytes(Buffer.from(head, 'latin1').readUInt16BE(14)))
      await ftpScript()(visit)
    },
  })
  servers.push(introduced)
  data = await claimPorts()
  const file = join(folder, 'config.yaml')
  writeFileSync(
    file,
    `upstreams:
  - { name: clear, servers: [{ address: '127.0.0.1:${plain}' }], upstreamTls: { mode: off }, upstreamMode: passive, upstreamVerbs: [PASV] }
  - { name: named, servers: [{ address: '127.0.0.1:${explicit}' }, { address: 'localhost:${other}' }], balance: first, health: false, connectTimeout: 5s, upstreamTls: { mode: required, verify: full, ca: ${folder}/a.crt } }
  - { name: implied, servers: [{ address: '127.0.0.1:${implicit}' }], health: { timeout: 2s }, upstreamTls: { mode: implicit, verify: none }, upstreamMode: active }
  - { name: following, servers: [{ address: '127.0.0.1:${explicit}' }], upstreamTls: { mode: as-client, verify: none, dataProtection: as-client } }
  - { name: usual, servers: [{ address: '127.0.0.1:${explicit}' }] }
  - { name: introduced, servers: [{ address: '127.0.0.1:${introduced.port}' }], health: false, proxyProtocol: v2, upstreamTls: { mode: off } }
listeners:
  - name: front
    listen: '127.0.0.1:0'
    tls: { mode: optional, dataReuse: required, certificates: [{ certificate: ${folder}/a.crt, key: ${folder}/a.key }] }
    upstreamTls: { mode: required, verify: none }
    routes: [${['clear', 'named', 'implied', 'following', 'usual', 'introduced'].map((name) => `{ user: ${name}, upstream: ${name} }`).join(', ')}]
dataPorts: ${data.first}-${data.last}
admin: false
`,
  )
  const { config } = loadConfig({ flags: { config: file }, environment: {} })
  const observer = createObserver({ config, version: '0', logOutput: { write: (line) => lines.push(line) } })
  app = new App({ config, observer })
  port = (await app.start()).listeners[0]?.at.port ?? 0
})

afterAll(async () => {
  await app?.stop()
  for (const server of servers) server.close()
  data?.release()
  rmSync(folder, { recursive: true, force: true })
})

it.each(
  (['plain', 'explicit'] as const).flatMap((mode) =>
    ['clear', 'named', 'implied', 'following', 'usual'].map((user) => [mode, user] as const),
  ),
)('a client with TLS %s is served by the pool %s, both ways', async (mode, user) => {
  const visit = { address: '127.0.0.1', port, mode, version: 'TLSv1.3', isPrivate: true, user } as const
  const client = await FtpsClient.login(visit)
  try {
    for (const verb of ['PASV', 'EPRT'] as const) {
      expect(await client.download(verb, 10_007), `${verb} download`).toBe(payloadSha256(10_007))
      expect(await client.upload(verb, 10_007), `${verb} upload`).toBe(payloadSha256(10_007))
    }
    await client.quit()
  } finally {
    client.destroy()
  }
})

it('a server whose certificate is not for its own address is passed over, and each is asked for by its own name', () => {
  const failures = lines.map((line) => JSON.parse(line)).filter(({ event }) => event === 'upstream.lose')
  expect(failures).toMatchObject([{ pool: 'named', detail: 'tls_certificate' }])
})

it('a server with proxyProtocol v2 hears of the TLS that its client has', async () => {
  const hello = { servername: 'localhost', ALPNProtocols: ['ftp'] }
  const visit = {
    address: '127.0.0.1',
    port,
    version: 'TLSv1.3',
    isPrivate: true,
    user: 'introduced',
  } as const
  const plain = await FtpsClient.login({ ...visit, mode: 'plain' })
  await plain.quit()
  plain.destroy()
  const bare = header.length
  const client = await FtpsClient.login({ ...visit, mode: 'explicit', hello })
  await client.quit()
  client.destroy()
  // Behind both addresses and ports: ALPN, the name (SNI), and TLS without a certificate.
  expect(header.slice(bare)).toMatch(
    /^\x01\x00\x03ftp\x02\x00\x09localhost\x20\x00.\x01\x00\x00\x00\x01\x21\x00\x07TLSv1\.3\x23\x00.TLS_[A-Z0-9_]+$/,
  )
})
