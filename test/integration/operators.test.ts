// What operators do to a running proxy, by its commands and as a preStop hook does: with one process and with two workers.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { Agent } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, vi } from 'vitest'
import type { SessionView } from '../../src/observe/view/shapes.ts'
import { ftpScript } from '../support/peers/ftp-script.ts'
import type { ScriptedClient } from '../support/peers/scripted-client.ts'
import { runProgram } from '../support/programs.ts'
import { type Lab, test } from './lab.ts'
import type { ProxyProcess } from './proxy-process.ts'
import { killWorker, oneAtEach, pidOf } from './worker-pair.ts'

const main = new URL('../../dist/main.js', import.meta.url).pathname
const folder = mkdtempSync(join(tmpdir(), 'ftp-alg-operators-'))
const tokenFile = join(folder, 'admin.token')
writeFileSync(tokenFile, 'a-token-of-this-test\n')
afterAll(() => rmSync(folder, { recursive: true }))

const admin = `token: ${tokenFile}, drainFrom: [127.0.0.0/8]`

/** A server whose RETR begins and ends when it is told. */
function slowServer() {
  let finish: () => void = () => undefined
  const finished = new Promise<void>((resolve) => {
    finish = resolve
  })
  const script = ftpScript({
    verbs: {
      RETR: async (visit) => {
        visit.reply('150 Here it comes.')
        const data = await visit.data()
        await data.send(Buffer.alloc(1000))
        await finished
        data.halfClose()
        visit.reply('226 Transfer complete.')
      },
    },
  })
  return { script, finish: () => finish() }
}

function command(proxy: ProxyProcess, ...args: readonly string[]) {
  return runProgram([process.execPath, main, ...args, '--admin', proxy.admin, '--token', tokenFile])
}

async function idOf(proxy: ProxyProcess, client: ScriptedClient): Promise<string> {
  const port = client.wire.socket.localPort
  return vi.waitFor(async () => {
    const { sessions } = (await (await proxy.ask('/api/v1/sessions')).json()) as { sessions: SessionView[] } // as the API promises
    const session = sessions.find(({ client_port }) => client_port === port)
    if (session === undefined) throw new Error(`no session of port ${port}`)
    return session.session_id
  })
}

async function readiness(proxy: ProxyProcess): Promise<string> {
  const answer = await proxy.ask('/readyz')
  return `${answer.status} ${await answer.text()}`
}

/** What a newcomer hears first. */
async function greetingOf(lab: Lab, proxy: ProxyProcess): Promise<number> {
  const client = await lab.client(proxy)
  const { code } = await client.reply()
  client.close()
  return code
}

/** Until all workers have heard of it, whichever gets the newcomer. */
async function comesToGreet(lab: Lab, proxy: ProxyProcess, code: number): Promise<void> {
  await vi.waitFor(
    async () => {
      for (let n = 0; n < 6; n += 1) expect(await greetingOf(lab, proxy)).toBe(code)
    },
    { timeout: 10_000 },
  )
}

describe.each([1, 2])('with %i process(es) that serve', (workers) => {
  const more = `workers: ${workers}`

  test('end: one session hears 421 and its transfer is cut off, the others go on', async ({ lab }) => {
    const { script } = slowServer()
    const proxy = await lab.process({ upstream: await lab.server(script), more, admin })
    const client = await (await lab.client(proxy)).login()
    const others = await Promise.all(
      Array.from({ length: 4 }, async () => await (await lab.client(proxy)).login()),
    )
    const data = await client.connectData(await client.passive())
    expect((await client.command('RETR 1000')).code).toBe(150)
    const id = await idOf(proxy, client)
    expect(await command(proxy, 'end', id, '0000000000')).toMatchObject({
      exitCode: 1,
      stdout: `Session ${id} ended.\nThere is no session 0000000000.\n`,
    })
    expect(await client.wire.readRest()).toBe('421 The operator has ended this session.\r\n')
    // A file that was cut off must not look whole.
    expect((await data.collect()).ending).toBe('reset')
    for (const other of others) expect((await other.command('NOOP')).code).toBe(200)
    expect(await proxy.record('session.close')).toMatchObject({ session_id: id, reason: 'operator' })
    expect(await proxy.record('admin.act')).toMatchObject({ action: 'end_session', session_id: id })
  })

  test('drain and resume: new clients get 421 and /readyz 503 meanwhile, sessions go on', async ({ lab }) => {
    const proxy = await lab.process({ upstream: await lab.server(ftpScript()), more, admin })
    const client = await (await lab.client(proxy)).login()
    const drained = await command(proxy, 'drain')
    expect(drained).toMatchObject({
      exitCode: 0,
      stdout: 'Drained: edge. New clients get 421; sessions go on. ftp-alg resume ends that.\n',
    })
    await comesToGreet(lab, proxy, 421)
    expect(await readiness(proxy)).toBe('503 not ready: drained by an operator (ftp-alg resume ends that)\n')
    const { data, codes } = await client.download('RETR 777')
    expect({ codes, bytes: data.byteCount }).toEqual({ codes: [150, 226], bytes: 777 })
    await vi.waitFor(async () => expect((await proxy.status()).listeners[0]?.drained).toBe(true))
    expect(await command(proxy, 'resume', '--listener', 'edge')).toMatchObject({
      exitCode: 0,
      stdout: 'edge: new clients are taken again.\n',
    })
    await comesToGreet(lab, proxy, 220)
    expect(await readiness(proxy)).toBe('200 ready\n')
  })

  test('GET /drain, as a preStop hook asks: idle sessions end, and it answers when transfers are over', async ({
    lab,
  }) => {
    const { script, finish } = slowServer()
    const proxy = await lab.process({ upstream: await lab.server(script), more, admin })
    const idle = await (await lab.client(proxy)).login()
    const busy = await (await lab.client(proxy)).login()
    const data = await busy.connectData(await busy.passive())
    expect((await busy.command('RETR 1000')).code).toBe(150)
    // `fetch` says that it is a browser, which may not.
    expect((await proxy.ask('/drain?wait=0')).status).toBe(401)
    const hook = proxy.askOver(new Agent(), '/drain?wait=30s')
    expect(await idle.wire.readRest()).toMatch(/^421 /)
    await comesToGreet(lab, proxy, 421)
    expect(await Promise.race([hook, 'waits'])).toBe('waits')
    finish()
    expect(await data.collect()).toMatchObject({ byteCount: 1000, ending: 'fin' })
    expect(await busy.wire.readRest()).toMatch(/^226 .*\r\n421 .*\r\n$/)
    expect(await hook).toEqual({ status: 200, text: 'no session is left\n' })
  })
})

test('a worker that comes in the place of a dead one is drained too', async ({ lab }) => {
  const proxy = await lab.process({ upstream: await lab.server(ftpScript()), more: 'workers: 2', admin })
  const served = await oneAtEach(lab, proxy)
  await command(proxy, 'drain')
  await killWorker(proxy, 0)
  await pidOf(proxy, 0, 2)
  await comesToGreet(lab, proxy, 421)
  for (const { client } of served) client.close()
})

test('commands without a token, or with another, change nothing and say why', async ({ lab }) => {
  const proxy = await lab.process({ upstream: await lab.server(ftpScript()), admin })
  const other = join(folder, 'other.token')
  writeFileSync(other, 'a-token-of-another-proxy')
  const drain = ['drain', '--admin', proxy.admin]
  const without = await runProgram([process.execPath, main, ...drain])
  expect(without).toMatchObject({
    exitCode: 2,
    stderr:
      'ftp-alg: needs the token of the proxy: --token FILE, FTP_ALG_ADMIN_TOKEN=FILE, or --config FILE with admin.token in it\n',
  })
  const wrong = await runProgram([process.execPath, main, ...drain, '--token', other])
  expect(wrong).toMatchObject({
    exitCode: 1,
    stderr: `ftp-alg: the proxy at ${proxy.admin} refuses: this is not the token (HTTP 401)\n`,
  })
  expect(await greetingOf(lab, proxy)).toBe(220)
})
