// Certificates that are renewed under a running proxy, laid out as Kubernetes lays out a mounted Secret.

import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, vi } from 'vitest'
import { issueCertificate } from '../support/certificates.ts'
import { ftpScript } from '../support/peers/ftp-script.ts'
import { Arrivals } from '../support/peers/patience.ts'
import { acceptTls, startTlsWithAnybody } from '../support/peers/tls.ts'
import type { Wire } from '../support/peers/wire.ts'
import { type Lab, test } from './lab.ts'
import type { ProxyProcess } from './proxy-process.ts'

const folder = mkdtempSync(join(tmpdir(), 'ftp-alg-secret-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** `..data` leads to the version that counts; the files that the proxy knows lead through it. */
function secret(name: string) {
  const at = join(folder, name)
  mkdirSync(at)
  let version = 0
  const put = (certificate: string, key: string) => {
    version += 1
    const data = `..v${version}`
    mkdirSync(join(at, data))
    writeFileSync(join(at, data, 'tls.crt'), certificate)
    writeFileSync(join(at, data, 'tls.key'), key, { mode: 0o600 })
    symlinkSync(data, join(at, '..data_tmp'))
    renameSync(join(at, '..data_tmp'), join(at, '..data'))
  }
  for (const file of ['tls.crt', 'tls.key']) symlinkSync(`..data/${file}`, join(at, file))
  return { at, put }
}

/** Asks for TLS and gives the encrypted end, with who showed a certificate. */
async function secured(lab: Lab, proxy: ProxyProcess) {
  const client = await lab.client(proxy)
  await client.reply()
  expect((await client.command('AUTH TLS')).code).toBe(234)
  return startTlsWithAnybody(client.wire)
}

describe.concurrent('a certificate that is renewed', () => {
  test('is shown to newcomers by every worker, and sessions that run go on', async ({ lab }) => {
    const workers = 2
    const { at, put } = secret('swapped')
    const first = issueCertificate({ name: 'first.example' })
    const second = issueCertificate({ name: 'second.example' })
    put(first.certificate, first.key)
    const server = await lab.server(ftpScript({}))
    const proxy = await lab.process({
      upstream: server,
      inListener: `tls: { mode: required, certificates: [{ certificate: ${at}/tls.crt, key: ${at}/tls.key }] }`,
      more: `workers: ${workers}`,
    })
    const early = await secured(lab, proxy)
    expect(early.by).toBe('first.example')

    // A key of another certificate: said, and nothing changes.
    put(second.certificate, first.key)
    await proxy.record('certificate.fail', workers)
    expect((await secured(lab, proxy)).by).toBe('first.example')
    const status = await proxy.status()
    expect(status.listeners[0]?.certificates_problem).toContain('does not fit CN=second.example')

    put(second.certificate, second.key)
    await proxy.record('certificate.load', 2 * workers)
    await vi.waitFor(async () => expect((await secured(lab, proxy)).by).toBe('second.example'))
    void early.wire.send('USER joe\r\n')
    expect(await early.wire.readLine()).toMatch(/^331/)
    await vi.waitFor(async () => {
      const metrics = await (await proxy.ask('/metrics')).text()
      expect(metrics).toMatch(/^ftp_alg_tls_certificate_last_reload_successful\{.*\} 1$/m)
      const ends = /^ftp_alg_tls_certificate_expiry_timestamp_seconds\{.*\} (\d+)$/m.exec(metrics)?.[1]
      const text = execFileSync('openssl', ['x509', '-in', `${at}/tls.crt`, '-noout', '-enddate']).toString()
      expect(Number(ends)).toBe(Date.parse(text.replace('notAfter=', '')) / 1000)
    })
  })

  test('leaves a session its server’s TLS, even where it has not begun', async ({ lab }) => {
    const { at, put } = secret('followed')
    const pair = issueCertificate({ name: 'edge.example' })
    put(pair.certificate, pair.key)
    const arrived = new Arrivals<Wire>()
    const server = await lab.server(async (visit) => {
      visit.reply('220 Ready.')
      await visit.nextCommand()
      visit.reply('234 Go ahead.')
      arrived.add(await acceptTls(visit.wire, pair))
    })
    const certificates = `[{ certificate: ${at}/tls.crt, key: ${at}/tls.key }]`
    const proxy = await lab.process({
      upstream: server,
      inListener: `tls: { mode: optional, certificates: ${certificates} }\nupstreamTls: { mode: as-client, verify: none }`,
    })
    const client = await lab.client(proxy)
    await client.reply()
    proxy.signal('SIGHUP')
    await proxy.record('config.reload')
    expect((await client.command('AUTH TLS')).code).toBe(234)
    const { wire } = await startTlsWithAnybody(client.wire)
    void wire.send('USER joe\r\n')
    expect(await (await arrived.next('TLS at the server')).readLine()).toBe('USER joe')
  })
})
