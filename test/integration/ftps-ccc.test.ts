// CCC at awkward moments, by clients whose TLS arrives byte by byte.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect } from 'vitest'
import { issueCertificate } from '../support/certificates.ts'
import { CutTls } from '../support/peers/cut-tls.ts'
import { ftpScript } from '../support/peers/ftp-script.ts'
import { Arrivals } from '../support/peers/patience.ts'
import type { Visit } from '../support/peers/scripted-server.ts'
import { type Lab, test } from './lab.ts'

const folder = mkdtempSync(join(tmpdir(), 'ftp-alg-ccc-'))
const pair = issueCertificate({ name: 'edge.example' })
writeFileSync(join(folder, 'a.crt'), pair.certificate)
writeFileSync(join(folder, 'a.key'), pair.key, { mode: 0o600 })
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const cleared = '200 The control connection goes on in clear.'

/** A server whose RETR begins, and ends when `finish` of its arrival is called, and the proxy before it. */
async function started(lab: Lab) {
  const transfers = new Arrivals<{ readonly visit: Visit; readonly finish: () => void }>()
  const server = await lab.server(
    ftpScript({
      verbs: {
        RETR: async (visit) => {
          visit.reply('150 Here it comes.')
          const data = await visit.data()
          await data.send(Buffer.alloc(1000))
          await new Promise<void>((finish) => transfers.add({ visit, finish }))
          data.halfClose()
          visit.reply('226 Transfer complete.')
        },
      },
    }),
  )
  const certificates = `[{ certificate: ${folder}/a.crt, key: ${folder}/a.key }]`
  const proxy = await lab.process({
    upstream: server,
    inListener: `tls: { mode: required, ccc: allow, certificates: ${certificates} }`,
  })
  return { lab, server, proxy, transfers }
}

/** Logged in, with PROT C. */
async function loggedIn(ground: Awaited<ReturnType<typeof started>>, version: 'TLSv1.2' | 'TLSv1.3') {
  const client = await ground.lab.client(ground.proxy)
  await client.reply()
  expect((await client.command('AUTH TLS')).code).toBe(234)
  const tls = await CutTls.begin(client.wire.socket, version)
  expect(await tls.ask('USER joe')).toMatch(/^331/)
  expect(await tls.ask('PASS x')).toMatch(/^230/)
  return { ...ground, tls }
}

type LoggedIn = Awaited<ReturnType<typeof loggedIn>>

/** Begins a download and leaves it there. */
async function download({ tls, lab, transfers }: LoggedIn) {
  const [, port] = /\|\|\|(\d+)\|/.exec(await tls.ask('EPSV')) ?? []
  const data = await lab.wire({ address: '127.0.0.1', port: Number(port) })
  expect(await tls.ask('RETR a')).toMatch(/^150/)
  return { data, finish: (await transfers.next('a transfer')).finish }
}

const versions = ['TLSv1.2', 'TLSv1.3'] as const

describe.concurrent('CCC', () => {
  test('in the middle of a transfer is answered behind it, and the session goes on', async ({ lab }) => {
    const ground = await started(lab)
    for (const version of versions) {
      const session = await loggedIn(ground, version)
      const { tls, server } = session
      const { data, finish } = await download(session)
      tls.say('CCC\r\n')
      expect((await data.readBytes(1000)).length).toBe(1000)
      finish()
      expect(await tls.line()).toMatch(/^226/)
      expect(await tls.line()).toBe(cleared)
      await tls.clear()
      expect(await tls.ask('NOOP')).toMatch(/^200/)
      const second = await download(session)
      second.finish()
      expect((await second.data.collect()).byteCount).toBe(1000)
      expect(await tls.line()).toMatch(/^226/)
      expect(server.visits.at(-1)?.lines).not.toContain('CCC')
      data.close()
      second.data.close()
    }
  })

  test('in the middle of a transfer with a command behind it ends the session behind the transfer', async ({
    lab,
  }) => {
    const ground = await started(lab)
    for (const version of versions) {
      const session = await loggedIn(ground, version)
      const { tls, server, proxy } = session
      const { data, finish } = await download(session)
      tls.say('CCC\r\nDELE a\r\n')
      expect((await data.readBytes(1000)).length).toBe(1000)
      finish()
      expect(await tls.line()).toMatch(/^226/)
      expect(await tls.line()).toMatch(/^421 Nothing may follow CCC/)
      tls.close()
      expect(await proxy.record('session.close')).toMatchObject({ reason: 'protocol' })
      expect(server.visits.at(-1)?.lines).not.toContain('DELE a')
      data.close()
    }
  })

  test('behind other commands in one record is answered in its turn', async ({ lab }) => {
    const ground = await started(lab)
    for (const version of versions) {
      const { tls } = await loggedIn(ground, version)
      tls.say('NOOP\r\nPWD\r\nCCC\r\n')
      expect(await tls.line()).toMatch(/^200/)
      expect(await tls.line()).toMatch(/^257/)
      expect(await tls.line()).toBe(cleared)
      await tls.clear()
      expect(await tls.ask('PWD')).toMatch(/^257/)
    }
  })
})
