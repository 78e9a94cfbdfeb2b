// What `run --record` and FTP_ALG_TRACE write of real sessions is a transcript that the engine plays in the same way.

import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import { ftpScript } from '../support/peers/ftp-script.ts'
import { parseTranscript, replay, whole } from '../support/transcript.ts'
import { test } from './lab.ts'

async function folderOfItsOwn(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'ftp-alg-record-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return join(folder, 'sessions')
}

for (const upstreamMode of ['client', 'passive', 'active'] as const) {
  test(`sessions are recorded as transcripts that play the same way (${upstreamMode})`, async ({ lab }) => {
    const folder = await folderOfItsOwn()
    const proxy = await lab.process({
      upstream: await lab.server(ftpScript()),
      inListener: `upstreamMode: ${upstreamMode}`,
      flags: ['--record', folder],
    })
    const clients = [await lab.client(proxy), await lab.client(proxy)]
    for (const client of clients) {
      await client.reply()
      expect((await client.command('USER joe')).code).toBe(331)
      expect((await client.command('PASS hunter2')).code).toBe(230)
      for (const verb of ['PASV', 'EPSV', 'PORT', 'EPRT'] as const) {
        expect((await client.download('RETR 70000', verb)).codes.at(-1)).toBe(226)
      }
      expect((await client.command('PORT 1,2,3,4,5,6')).code).toBe(501)
      expect((await client.command('QUIT')).code).toBe(221)
    }
    await proxy.record('session.close', 2)
    proxy.signal('SIGTERM')
    expect(await proxy.exited()).toBe(0)
    const names = (await readdir(folder)).sort()
    const ids = proxy.records.filter(({ event }) => event === 'session.close').map((line) => line.session_id)
    expect(names).toEqual(ids.map((id) => `${id}.txt`).sort())
    for (const name of names) {
      expect((await stat(join(folder, name))).mode & 0o777).toBe(0o600)
      const text = await readFile(join(folder, name), 'latin1')
      expect(text).not.toContain('hunter2')
      expect(text).toContain('C> PASS ***\n')
      const transcript = parseTranscript(text)
      expect(replay(transcript, whole)).toBe(transcript.conversation)
      expect(transcript.conversation).toContain('   refuse PORT bounce 501')
      expect(transcript.conversation).toContain('   close quit\n')
    }
  })
}

test('FTP_ALG_TRACE=session shows them on the error stream, of workers too', async ({ lab }) => {
  const proxy = await lab.process({
    upstream: await lab.server(ftpScript()),
    more: 'workers: 2',
    environment: { FTP_ALG_TRACE: 'session' },
  })
  const client = await (await lab.client(proxy)).login()
  expect((await client.command('QUIT')).code).toBe(221)
  const { session_id } = await proxy.record('session.close')
  expect(proxy.output).toMatch(new RegExp(`^${session_id} C> QUIT\n${session_id}    S< QUIT$`, 'm'))
})

test('a folder that cannot be made ends the start', async ({ lab }) => {
  const proxy = await lab.launch({
    upstream: { address: '127.0.0.1', port: 1 },
    flags: ['--record', '/dev/null/sessions'],
  })
  expect(await proxy.exited()).toBe(1)
  expect(proxy.output).toMatch(/^ftp-alg: --record \/dev\/null\/sessions: ENOTDIR/m)
})
