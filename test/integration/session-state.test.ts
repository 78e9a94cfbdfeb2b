// S26, S33: what a login changes, what it never changes, and what nobody may read of it afterwards.

import { describe, expect } from 'vitest'
import { ftpScript } from '../support/peers/ftp-script.ts'
import { type Lab, test } from './lab.ts'
import type { ProxyPlan } from './proxy-under-test.ts'

async function through(lab: Lab, plan: ProxyPlan = {}, script = ftpScript()) {
  const server = await lab.server(script)
  const proxy = await lab.proxy(server, plan)
  return { server, proxy, client: await lab.client(proxy) }
}

describe('the login', () => {
  test('is gone after REIN: PORT gets 530 until the next one', async ({ lab }) => {
    const { client, server } = await through(lab)
    await client.login()
    expect((await client.command((await client.openDoor()).announcement)).code).toBe(200)
    expect((await client.command('REIN')).code).toBe(220)
    expect((await client.command((await client.openDoor()).announcement)).code).toBe(530)
    expect((await client.command('USER joe')).code).toBe(331)
    expect((await client.command('PASS again')).code).toBe(230)
    expect((await client.download('RETR 5', 'PORT')).codes).toEqual([150, 226])
    expect(server.visits).toHaveLength(1)
  })

  test('is gone after a second USER, until its password', async ({ lab }) => {
    const { client } = await through(lab)
    await client.login()
    expect((await client.command('USER other')).code).toBe(331)
    expect((await client.command((await client.openDoor()).announcement)).code).toBe(530)
    expect((await client.command('PASS secret')).code).toBe(230)
    expect((await client.download('RETR 5', 'PORT')).codes).toEqual([150, 226])
  })

  test('that the server refuses is none', async ({ lab }) => {
    const { client } = await through(
      lab,
      {},
      ftpScript({ verbs: { PASS: (visit) => visit.reply('530 Login incorrect.') } }),
    )
    await client.reply()
    await client.command('USER joe')
    expect((await client.command('PASS wrong')).code).toBe(530)
    expect((await client.command((await client.openDoor()).announcement)).code).toBe(530)
  })

  test('never changes where the session leads, whatever HOST and USER say', async ({ lab }) => {
    const third = await lab.bystander()
    const { client, server } = await through(
      lab,
      {},
      ftpScript({ verbs: { HOST: (visit) => visit.reply('220 Host accepted.') } }),
    )
    await client.login(`joe@${third.address}:${third.port}`)
    expect((await client.command(`HOST ${third.address}`)).code).toBe(220)
    expect((await client.command(`USER joe@${third.address}`)).code).toBe(331)
    expect((await client.command('PASS x')).code).toBe(230)
    expect((await client.download('RETR 5')).codes).toEqual([150, 226])
    expect(server.visits).toHaveLength(1)
    expect(third.connections).toBe(0)
  })

  test('EPSV ALL holds until REIN', async ({ lab }) => {
    const { client } = await through(lab)
    await client.login()
    expect((await client.command('EPSV ALL')).code).toBe(200)
    expect((await client.command('PASV')).code).toBe(503)
    expect((await client.command((await client.openDoor()).announcement)).code).toBe(501)
    expect((await client.download('RETR 5', 'EPSV')).codes).toEqual([150, 226])
    await client.command('REIN')
    await client.command('USER joe')
    await client.command('PASS x')
    expect((await client.download('RETR 5', 'PASV')).codes).toEqual([150, 226])
  })
})

describe('secrets', () => {
  test('are in no log line at debug level and in no metric; user names are in no label', async ({ lab }) => {
    const { client, proxy } = await through(lab, { logLevel: 'debug', limits: { refusals: 100 } })
    await client.reply()
    await client.command('USER jolly')
    await client.command('PASS hunter2')
    await client.command('pass hunter2')
    await client.command('PaSs  hunter2 ')
    await client.command('ACCT hunter2')
    await client.command('PASS hunter2\0')
    await client.command(`PASS hunter2${'x'.repeat(5000)}`)
    await client.wire.sendByteByByte('USER jolly\r\nPASS hunter2\r\n')
    await client.reply()
    await client.reply()
    await client.wire.send('PASS hunter2')
    client.close()
    await proxy.forgetsEverything()
    expect(proxy.log).toContain('jolly')
    expect(proxy.log).toContain('PASS ***')
    expect(proxy.log).not.toContain('hunter2')
    const metrics = await proxy.metrics()
    expect(metrics).not.toContain('hunter2')
    expect(metrics).not.toContain('jolly')
    expect(metrics).not.toContain('127.0.0.1')
  })

  test('of a first line that is no FTP are not shown either', async ({ lab }) => {
    const { client, proxy } = await through(lab, { logLevel: 'debug' })
    await client.wire.send('PASSWD hunter2\r\n')
    await client.wire.readRest()
    client.close()
    await proxy.forgetsEverything()
    expect(proxy.log).not.toContain('hunter2')
  })

  test('control characters and line ends of a peer stay inside one JSON line', async ({ lab }) => {
    const { client, proxy } = await through(
      lab,
      { logLevel: 'debug' },
      ftpScript({ verbs: { CWD: (visit) => visit.reply('550 \x1b[31mno\x07\x00 \x85\xa0') } }),
    )
    await client.login('j\xf6e\xa0"},{"level":"error')
    await client.command('CWD \xe2\x80\xae')
    expect(proxy.log).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f]/)
    expect(proxy.records.length).toBe(proxy.log.trimEnd().split('\n').length)
  })
})
