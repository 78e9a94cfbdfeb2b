// Several servers behind one listener: no session fails while one of them lives, and none hears of the others.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, vi } from 'vitest'
import type { StatusView } from '../../src/observe/view/shapes.ts'
import { ftpScript } from '../support/peers/ftp-script.ts'
import type { Script } from '../support/peers/scripted-server.ts'
import { type Lab, test } from './lab.ts'

const named = (name: string) => ftpScript({ greeting: `220 This is ${name}.` })
const silent: Script = async (visit) => {
  await visit.nextCommand()
}
const full: Script = async (visit) => {
  visit.reply('421 Too many users.')
  visit.wire.close()
}
const closed = { address: '127.0.0.1', port: 1 }

interface PoolPlan {
  readonly servers: readonly { readonly address: string; readonly port: number }[]
  /** Lines of YAML inside the pool, in one. */
  readonly more?: string
  readonly workers?: number
}

function yaml({ servers, more = 'balance: first, health: false', workers = 1 }: PoolPlan): string {
  const list = servers.map(({ address, port }) => `{ address: '${address}:${port}' }`).join(', ')
  return `upstreams: [{ name: files, servers: [${list}], ${more} }]\nworkers: ${workers}`
}

async function behindPool(lab: Lab, plan: PoolPlan) {
  const proxy = await lab.process({ upstream: 'files', more: yaml(plan) })
  const greeted = async (from?: string) => {
    const client = await lab.client(proxy, from)
    return { client, greeting: (await client.reply()).line }
  }
  return { proxy, greeted }
}

describe.concurrent('a server that cannot be had', () => {
  test.for([
    ['refuses', null],
    ['does not greet', silent],
    ['greets with 421', full],
  ] as const)('%s: the next one greets, and the client hears of no other', async ([, script], { lab }) => {
    const bad = script === null ? closed : await lab.server(script)
    const good = await lab.server(named('b'))
    const { proxy, greeted } = await behindPool(lab, {
      servers: [bad, good],
      more: 'balance: first, health: { timeout: 300ms, interval: 1h }',
    })
    const { client, greeting } = await greeted()
    expect(greeting).toBe('220 This is b.')
    expect((await client.command('USER joe')).code).toBe(331)
    // It is known to be down now: nobody waits for it again.
    expect((await greeted()).greeting).toBe('220 This is b.')
    expect(await proxy.record('upstream.lose')).toMatchObject({
      pool: 'files',
      server: `127.0.0.1:${bad.port}`,
    })
    expect(await (await proxy.ask('/metrics')).text()).toMatch(
      new RegExp(`^ftp_alg_upstream_server_up\\{upstream="files",server="127.0.0.1:${bad.port}"\\} 0$`, 'm'),
    )
  })

  test('when all of them are gone clients hear 421, readiness says so, and one that comes back serves', async ({
    lab,
  }) => {
    const { first: port } = await lab.ports()
    const first = await lab.server(named('a'), { port })
    const { proxy, greeted } = await behindPool(lab, {
      servers: [first, closed],
      more: 'balance: first, health: { interval: 100ms, timeout: 1s, rise: 1, fall: 1 }',
    })
    const answers = (status: number) =>
      vi.waitFor(async () => expect((await proxy.ask('/readyz')).status).toBe(status), 10_000)
    expect((await greeted()).greeting).toBe('220 This is a.')
    first.close()

    await answers(503)

    expect(await (await proxy.ask('/readyz')).text()).toBe(
      'not ready: no server of the pool files is available (log event upstream.lose)\n',
    )
    const { servers } = (await (await proxy.ask('/api/v1/status')).json()) as StatusView
    expect(servers).toMatchObject([
      { upstream: 'files', server: `127.0.0.1:${port}`, up: false },
      { upstream: 'files', server: '127.0.0.1:1', up: false },
    ])
    expect((await greeted()).greeting).toMatch(/^421 /)
    await lab.server(named('a again'), { port })
    await answers(200)
    expect((await greeted()).greeting).toBe('220 This is a again.')
  })
})

test('checks log in: a password that is refused takes the server down, and a new one counts at once', async ({
  lab,
}) => {
  const folder = mkdtempSync(join(tmpdir(), 'ftp-alg-check-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const passwordFile = join(folder, 'check.password')
  writeFileSync(passwordFile, 'outdated\n', { mode: 0o600 })
  const server = await lab.server(
    ftpScript({
      verbs: {
        PASS: (visit, { argument }) =>
          visit.reply(argument === 'fresh' ? '230 In.' : `530 ${argument} is not it.`),
      },
    }),
  )
  const { proxy } = await behindPool(lab, {
    servers: [server],
    more: `health: { interval: 100ms, timeout: 2s, expect: login, user: monitor, passwordFile: ${passwordFile}, rise: 1, fall: 1 }`,
  })
  expect(await proxy.record('upstream.lose')).toMatchObject({
    detail: 'it refuses the login of monitor with 530 **** is not it.',
  })
  writeFileSync(passwordFile, 'fresh\n')
  await proxy.record('upstream.recover')
  rmSync(passwordFile)
  expect(await proxy.record('upstream.check')).toMatchObject({
    pool: 'files',
    detail: `upstreams[files].health.passwordFile: ${passwordFile} cannot be read: ENOENT`,
  })
  expect((await proxy.ask('/readyz')).status).toBe(200)
})

test('one worker checks for all of them, and another one when it is gone', async ({ lab }) => {
  let checks = 0
  const { first: port } = await lab.ports()
  const script: Script = async (visit) => {
    checks += 1
    await named('a')(visit)
  }
  const server = await lab.server(script, { port })
  const { proxy } = await behindPool(lab, {
    servers: [server],
    more: 'health: { interval: 200ms, timeout: 2s, rise: 1, fall: 1 }',
    workers: 4,
  })
  const began = performance.now()
  const before = checks
  await vi.waitFor(() => expect(checks - before).toBeGreaterThan(5), 10_000)
  // Four times as many, and one more each, if all of them did.
  expect(performance.now() - began).toBeGreaterThan(5 * 180)
  const up = (value: number) =>
    vi.waitFor(async () => {
      const text = await (await proxy.ask('/metrics')).text()
      expect(text).toContain(
        `ftp_alg_upstream_server_up{upstream="files",server="127.0.0.1:${port}"} ${value}`,
      )
    }, 10_000)
  server.close()
  // Not ready: every worker knows. Up: the same.
  await vi.waitFor(async () => expect((await proxy.ask('/readyz')).status).toBe(503), 10_000)
  await up(0)
  // The first that ran.
  process.kill(Number((await proxy.record('worker.start')).pid), 'SIGKILL')
  await proxy.record('worker.exit')
  await lab.server(script, { port })
  await up(1)
  await proxy.record('upstream.recover')
  expect(proxy.records.filter(({ event }) => event === 'upstream.recover')).toHaveLength(1)
})

test('fifty clients who come while servers die all get one that lives', async ({ lab }) => {
  // Ports that nobody else gets when their servers are gone.
  const { first } = await lab.ports()
  const servers = await Promise.all(
    ['a', 'b', 'c'].map((name, index) => lab.server(named(name), { port: first + index })),
  )
  const { greeted } = await behindPool(lab, {
    servers,
    more: 'balance: roundRobin, health: false',
    workers: 2,
  })
  const greetings = await Promise.all(
    Array.from({ length: 50 }, async (_, index) => {
      if (index === 10) servers[0]?.close()
      if (index === 25) servers[1]?.close()
      return (await greeted(`127.0.0.${100 + index}`)).greeting
    }),
  )
  expect(greetings.filter((greeting) => !/^220 This is [abc]\.$/.test(greeting))).toEqual([])
})

test('a reload takes a server out without ending its sessions', async ({ lab }) => {
  const servers = await Promise.all(['a', 'b'].map((name) => lab.server(named(name))))
  const [first, second] = servers
  if (first === undefined || second === undefined) throw new Error('no servers')
  const { proxy, greeted } = await behindPool(lab, { servers })
  const { client, greeting } = await greeted()
  expect(greeting).toBe('220 This is a.')
  await proxy.rewrite({ upstream: 'files', more: yaml({ servers: [second] }) })
  proxy.signal('SIGHUP')
  await proxy.record('config.reload')
  expect((await greeted()).greeting).toBe('220 This is b.')
  expect((await client.command('NOOP')).code).toBe(200)
})

test('a server of a pool with proxyProtocol is told who the client is', async ({ lab }) => {
  const headers: string[] = []
  const script: Script = async (visit) => {
    headers.push(await visit.wire.readLine())
    await ftpScript()(visit)
  }
  const server = await lab.server(script)
  const { proxy, greeted } = await behindPool(lab, {
    servers: [server],
    more: 'health: false, proxyProtocol: v1',
  })
  const { client } = await greeted('127.0.0.20')
  expect((await client.command('USER joe')).code).toBe(331)
  expect(headers).toEqual([`PROXY TCP4 127.0.0.20 127.0.0.1 ${client.wire.socket.localPort} ${proxy.port}`])
})
