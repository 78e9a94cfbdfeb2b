// A process that stood still (SIGSTOP, a virtual machine that was moved) wakes up with its timers due and everything that
// was sent to it unread.

import { expect } from 'vitest'
import { ftpScript, type Verb } from '../support/peers/ftp-script.ts'
import { receive } from '../support/peers/scripted-client.ts'
import { test } from './lab.ts'

/** Longer than every deadline below. */
const STOPPED_MS = 7_000

test('ends nothing that had no chance to go on while it stood still', async ({ lab }) => {
  const server = await lab.server(ftpScript())
  const proxy = await lab.process({
    upstream: server,
    more: 'limits:\n  idle: 5s\n  login: 5s\npinholes:\n  timeout: 5s',
  })
  const client = await (await lab.client(proxy)).login()
  const stranger = await lab.client(proxy)
  await proxy.record('session.open', 2)
  const at = await client.passive()
  proxy.signal('SIGSTOP')
  // What is tested is time itself.
  await new Promise((resolve) => setTimeout(resolve, STOPPED_MS))
  proxy.signal('SIGCONT')
  const data = await client.connectData(at)
  await client.wire.send('RETR 70000\r\n')
  expect((await client.reply()).code).toBe(150)
  expect(await receive(data)).toMatchObject({ byteCount: 70_000, ending: 'fin' })
  expect((await client.reply()).code).toBe(226)
  await stranger.login()
  const closed = proxy.records.filter(({ event }) => event === 'session.close')
  expect(closed).toEqual([])
  // Who says nothing from here on is sent away as ever.
  expect((await client.reply()).code).toBe(421)
})

test.for(['RETR', 'STOR'])(
  'a server that called and reset meanwhile has failed, %s',
  async (verb, { lab }) => {
    let stopped = () => {}
    const standsStill = new Promise<void>((resolve) => {
      stopped = resolve
    })
    const begin: Verb = async (visit) => {
      visit.reply('150 Go ahead.')
      await standsStill
      const data = await visit.data()
      data.reset()
      visit.reply('226 Done.')
      proxy.signal('SIGCONT')
    }
    const server = await lab.server(ftpScript({ verbs: { [verb]: begin } }))
    const proxy = await lab.process({ upstream: server, inListener: 'upstreamMode: active' })
    const client = await (await lab.client(proxy)).login()
    const data = await client.connectData(await client.passive())
    expect((await client.command(`${verb} 70000`)).code).toBe(150)
    proxy.signal('SIGSTOP')
    stopped()
    expect((await client.reply()).code).toBe(426)
    expect(await data.ended()).toBe('reset')
    expect((await client.command('NOOP')).code).toBe(200)
  },
)

test('a client that came and reset meanwhile is told at once', async ({ lab }) => {
  const server = await lab.server(ftpScript())
  const proxy = await lab.process({ upstream: server })
  const client = await (await lab.client(proxy)).login()
  const at = await client.passive()
  expect((await client.command('RETR 70000')).code).toBe(150)
  proxy.signal('SIGSTOP')
  const data = await client.connectData(at)
  data.reset()
  proxy.signal('SIGCONT')
  expect((await client.reply()).code).toBe(426)
  expect((await client.command('NOOP')).code).toBe(200)
})
