// `reloadOnChange`: the file changes, without a signal.

import { describe, expect } from 'vitest'
import { ftpScript } from '../support/peers/ftp-script.ts'
import { test } from './lab.ts'

const more = 'reloadOnChange: true'

describe.concurrent('reloadOnChange', () => {
  test.for([
    { how: 'written in place', isMounted: false, workers: 1 },
    { how: 'mounted by Kubernetes and replaced', isMounted: true, workers: 1 },
    { how: 'mounted by Kubernetes and replaced, with two workers', isMounted: true, workers: 2 },
  ])('takes up a file that is $how', async ({ isMounted, workers }, { lab }) => {
    const upstream = await lab.server(ftpScript())
    const with_ = `${more}\nworkers: ${workers}`
    const proxy = await lab.process({ upstream, isMounted, more: with_ })
    const old = await (await lab.client(proxy)).login()
    await proxy.rewrite({ more: `${with_}\nlimits: { refusals: 2, sessions: 50 }` })
    expect(await proxy.record('config.change')).toMatchObject({
      file: expect.stringMatching(/config\.yaml$/),
    })
    await proxy.record('config.reload')
    expect((await proxy.status()).listeners[0]?.sessions_limit).toBe(50)
    await proxy.rewrite({ more: `${with_}\nlimits: { sessions: 40 }` })
    await proxy.record('config.reload', 2)
    expect((await proxy.status()).listeners[0]?.sessions_limit).toBe(40)
    expect((await old.download('RETR 5')).codes).toEqual([150, 226])
  })

  test('keeps the old configuration when the new file is bad, says so once, and takes the next', async ({
    lab,
  }) => {
    const upstream = await lab.server(ftpScript())
    const proxy = await lab.process({ upstream, isMounted: true, more })
    await proxy.rewrite('listeners: []\nfrobnicate: 1\n')
    expect(JSON.stringify(await proxy.record('config.refuse'))).toContain('config.yaml:2:1 frobnicate')
    expect((await proxy.status()).config).toMatchObject({ last_reload_successful: false, reloads_refused: 1 })
    await lab.servesNext(proxy)
    await proxy.rewrite({ more: `${more}\nlimits: { sessions: 50 }` })
    await proxy.record('config.reload')
    expect((await proxy.status()).config).toMatchObject({
      last_reload_successful: true,
      reloads_accepted: 1,
      reloads_refused: 1,
    })
  })

  test('is over once a file says so, and begins with SIGHUP', async ({ lab }) => {
    const upstream = await lab.server(ftpScript())
    const proxy = await lab.process({ upstream, more })
    await proxy.rewrite({ more: 'reloadOnChange: false' })
    await proxy.record('config.reload')
    await proxy.rewrite({ more: 'reloadOnChange: true\nlimits: { sessions: 50 }' })
    proxy.signal('SIGHUP')
    await proxy.record('config.reload', 2)
    await proxy.rewrite({ more: 'reloadOnChange: true\nlimits: { sessions: 40 }' })
    await proxy.record('config.reload', 3)
    // The second change came by signal and not besides.
    expect(proxy.records.filter(({ event }) => event === 'config.change')).toHaveLength(2)
  })
})
