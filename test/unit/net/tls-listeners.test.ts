import { unlinkSync } from 'node:fs'
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest'
import type { Config } from '../../../src/config/config.ts'
import { TlsListeners } from '../../../src/net/arrival/tls-listeners.ts'
import { fingerprint, watchFiles } from '../../../src/process/watch-files.ts'
import type { CertificateUse } from '../../../src/vocabulary.ts'
import { configOf } from '../config/sources.ts'
import { issue, PemFolder } from '../tls/stand.ts'

const files = new PemFolder()
afterAll(() => files.close())

function configured(certificate: string, key: string): Config {
  return configOf(
    `listeners: [{ name: edge, upstream: ftp.example.net, tls: { mode: required, certificates: [{ certificate: ${certificate}, key: ${key} }] } }]\n`,
  )
}

describe('the certificates of a listener', () => {
  const said: string[] = []
  let running: TlsListeners | null = null

  afterEach(() => {
    running?.stop()
    said.length = 0
  })

  const observer = {
    certificatesRead: ({
      certificates,
      failure,
    }: {
      certificates: readonly CertificateUse[]
      failure: unknown
    }) => {
      said.push(
        failure instanceof Error
          ? `refused: ${failure.message}`
          : `read ${certificates.map((each) => each.subject).join()}`,
      )
    },
    certificateExpires: ({ subject }: CertificateUse) => {
      said.push(`${subject} ends soon`)
    },
  }

  async function started(config: Config): Promise<TlsListeners> {
    running = new TlsListeners({
      observer,
      files: { fingerprint, watch: (request) => watchFiles({ ...request, intervalMs: 10 }) },
    })
    await running.read(config)
    return running
  }

  it('are read when their files change, and the old ones stay when those are no good', async () => {
    const { certificate, key } = files.pair('renewed', issue({ name: 'first' }))
    const listeners = await started(configured(certificate, key))
    files.pair('renewed', issue({ name: 'second' }))
    await vi.waitFor(() => expect(said).toEqual(['read CN=first', 'read CN=second']))

    files.write('renewed.key', issue({ name: 'another' }).key)
    await vi.waitFor(() => expect(said).toHaveLength(3))
    expect(said[2]).toBe(`refused: listeners[edge].tls: ${key} does not fit CN=second of ${certificate}`)
    expect(listeners.certificates).toMatchObject([{ listener: 'edge', side: 'client', subject: 'CN=second' }])

    unlinkSync(certificate)
    await vi.waitFor(() => expect(said).toHaveLength(4))
    expect(said[3]).toContain('cannot be read (ENOENT)')
    expect(listeners.certificates).toHaveLength(1)

    files.pair('renewed', issue({ name: 'third' }))
    await vi.waitFor(() => expect(said.slice(4)).toEqual(['read CN=third']))
  })

  it('are warned about when they end soon, once for a day', async () => {
    const soon = issue({ name: 'soon', validDays: { from: -10, to: 13 } })
    const { certificate, key } = files.pair('soon', soon)
    const listeners = await started(configured(certificate, key))
    await listeners.read(configured(certificate, key))
    expect(said).toEqual(['read CN=soon', 'CN=soon ends soon', 'read CN=soon'])
  })

  it('are not read by a process that has stopped', async () => {
    const { certificate, key } = files.pair('stopped', issue({ name: 'first' }))
    const listeners = await started(configured(certificate, key))
    listeners.stop()
    files.pair('stopped', issue({ name: 'second' }))
    await new Promise((resolve) => setTimeout(resolve, 60))
    expect(said).toEqual(['read CN=first'])
  })
})
