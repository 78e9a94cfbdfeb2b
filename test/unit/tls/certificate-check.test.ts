import { afterAll, describe, expect, it } from 'vitest'
import type { Config, ListenerConfig } from '../../../src/config/config.ts'
import { checkCertificates } from '../../../src/tls/certificate-check.ts'
import { configOf } from '../config/sources.ts'
import { issue, listenerTls, PemFolder, upstreamTls } from './stand.ts'

const files = new PemFolder()
afterAll(() => files.close())

const [plain] = configOf('listeners: [{ upstream: ftp.example.net }]\n').listeners

function listeners(over: Partial<ListenerConfig>): Pick<Config, 'listeners'> {
  if (plain === undefined) throw new Error('a configuration without listeners')
  return { listeners: [{ ...plain, name: 'edge', ...over }] }
}

describe('the certificates of a configuration', () => {
  it('are right when each file can be read and fits', () => {
    const certificates = [files.pair('good', issue({ name: 'a' }))]
    expect(checkCertificates(listeners({ tls: listenerTls({ certificates }) }), Date.now())).toEqual({
      mistakes: [],
      warnings: [],
    })
  })

  it('are named with what is wrong, all at once', () => {
    const { mistakes } = checkCertificates(
      listeners({
        tls: listenerTls({ certificates: [{ certificate: '/nowhere/a.crt', key: '/nowhere/a.key' }] }),
        upstreamTls: upstreamTls({ ca: '/nowhere/ca.crt' }),
      }),
      Date.now(),
    )
    expect(mistakes).toEqual([
      'listeners[edge].tls.certificates[0]: /nowhere/a.crt cannot be read (ENOENT)',
      'listeners[edge].upstreamTls.ca: /nowhere/ca.crt cannot be read (ENOENT)',
    ])
  })

  it.each([
    [{ from: -10, to: -1 }, /edge\.example has expired/],
    [{ from: -10, to: 3 }, /edge\.example expires within 14 days/],
  ])('that end (%o) are warned about', (validDays, text) => {
    const certificates = [files.pair(`end${validDays.to}`, issue({ name: 'edge.example', validDays }))]
    const { warnings } = checkCertificates(listeners({ tls: listenerTls({ certificates }) }), Date.now())
    expect(warnings).toEqual([expect.stringMatching(text)])
  })
})
