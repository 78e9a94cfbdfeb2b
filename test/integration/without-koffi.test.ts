// Where koffi is not installed, or cannot be loaded, everything that needs no kernel feature works over Node's own sockets.

import { readFileSync } from 'node:fs'
import { expect } from 'vitest'
import { ftpScript } from '../support/peers/ftp-script.ts'
import { MiB, payload, payloadSha256 } from '../support/peers/payload.ts'
import type { DataVerb } from '../support/peers/scripted-client.ts'
import type { Collected } from '../support/peers/wire.ts'
import { test } from './lab.ts'

const verbs: readonly DataVerb[] = ['PASV', 'EPSV', 'PORT', 'EPRT']
const sizes = [0, 1, 70_000, 20 * MiB]

/** Whether a process has the library in its memory. */
function hasKoffi(pid: number): boolean {
  return readFileSync(`/proc/${pid}/maps`, 'latin1').includes('koffi')
}

for (const [upstreamMode, workers] of [
  ['client', 1],
  ['passive', 1],
  ['active', 1],
  ['client', 2],
] as const) {
  test(`files go both ways: upstream mode ${upstreamMode}, ${workers} workers`, async ({ lab }) => {
    const uploads = new Map<string, Collected>()
    const server = await lab.server(ftpScript({ uploads }))
    const proxy = await lab.process({
      upstream: server,
      withoutKoffi: true,
      inListener: `upstreamMode: ${upstreamMode}`,
      more: `workers: ${workers}`,
    })
    const client = await (await lab.client(proxy)).login()
    for (const verb of verbs) {
      for (const size of sizes) {
        const stored = { byteCount: size, sha256: payloadSha256(size), ending: 'fin' }
        expect((await client.download(`RETR ${size}`, verb)).data).toEqual(stored)
        await client.upload(`STOR up${size}`, payload(size), verb)
        expect(uploads.get(`up${size}`)).toEqual(stored)
      }
    }
    expect(server.failures).toEqual([])
    proxy.signal('SIGTERM')
    client.close()
    expect(await proxy.exited()).toBe(0)
  })
}

test.skipIf(process.platform !== 'linux')('that is really so', async ({ lab }) => {
  const server = await lab.server(ftpScript())
  const proxy = await lab.process({ upstream: server, withoutKoffi: true })
  expect(hasKoffi(proxy.pid)).toBe(false)
  const reason = expect.stringContaining('need the optional package koffi, which cannot be loaded')
  expect(proxy.records.filter(({ event }) => event === 'tcp.fallback')).toMatchObject([
    { level: 'warn', reason },
  ])
  expect((await proxy.status()).tcp).toEqual({ implementation: 'node', reason })
  expect(await (await proxy.ask('/metrics')).text()).toMatch(/^ftp_alg_build_info\{.*tcp="node"\} 1$/m)
  expect(hasKoffi((await lab.process({ upstream: server })).pid)).toBe(true)
})
