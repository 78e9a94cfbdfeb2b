import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import type { HealthConfig, PoolConfig } from '../../../../../src/config/config.ts'
import { Dialer } from '../../../../../src/net/upstream/dial.ts'
import { Names } from '../../../../../src/net/upstream/names.ts'
import { type CheckResult, checkServer } from '../../../../../src/net/upstream/pool/check-server.ts'
import { type CheckTls, openCheckTls } from '../../../../../src/net/upstream/pool/check-tls.ts'
import { Upstreams } from '../../../../../src/net/upstream/upstreams.ts'
import { UpstreamContext } from '../../../../../src/tls/upstream-context.ts'
import { issueCertificate } from '../../../../support/certificates.ts'
import { tcp } from '../../../../support/connections.ts'
import { ftpScript } from '../../../../support/peers/ftp-script.ts'
import { startFtpsServer, type TlsMode } from '../../../../support/peers/ftps-server.ts'
import { type Script, startScriptedServer } from '../../../../support/peers/scripted-server.ts'
import { openssl, PemFolder, upstreamTls } from '../../../tls/stand.ts'

const files = new PemFolder()
const passwordFile = files.write('check.password', 'open sesame\n')
afterAll(() => files.close())

interface Plan {
  readonly port: number
  readonly isOurs?: boolean
  readonly health?: Partial<HealthConfig>
  readonly pool?: Partial<PoolConfig>
  readonly tls?: CheckTls | null
}

function check({ port, isOurs = false, health, pool, tls = null }: Plan): Promise<CheckResult> {
  const upstreams = new Upstreams({
    names: new Names({ log: () => undefined }),
    dialer: new Dialer({ tcp, connectAs: null }),
    isOwnListener: () => isOurs,
    connectMs: 5_000,
  })
  const asked = {
    intervalMs: 10_000,
    timeoutMs: 2_000,
    expect: 'login',
    rise: 2,
    fall: 3,
    ...health,
  } as const
  const config: PoolConfig = {
    name: 'files',
    servers: [],
    balance: 'first',
    health: asked,
    proxyProtocol: 'off',
    via: null,
    ...pool,
  }
  const target = { host: '127.0.0.1', port }
  return new Promise((resolve, reject) => {
    let hasReturned = false
    checkServer({ upstreams, target, pool: config, health: asked, tls }, (result) => {
      if (hasReturned) resolve(result)
      else reject(new Error('it called back before it had returned'))
    })
    hasReturned = true
  })
}

async function scripted(script: Script) {
  const server = await startScriptedServer({ script })
  onTestFinished(() => server.close())
  return server
}

const login = { user: 'monitor', passwordFile }
const passed: CheckResult = { type: 'passed' }
const failed = (problem: string): CheckResult => ({ type: 'failed', problem })

describe('a check that logs in', () => {
  test('says USER, PASS and QUIT', async () => {
    const said: string[] = []
    const { port } = await scripted(async (visit) => {
      await ftpScript({ greeting: '120 Wait.\r\n220-Two\r\n220 lines.' })(visit)
      said.push(...visit.lines)
    })
    expect(await check({ port, health: login })).toEqual(passed)
    await expect.poll(() => said).toEqual(['USER monitor', 'PASS open sesame', 'QUIT'])
  })

  test.each([
    ['530 Who?', '', 'it refuses the login of monitor with 530 Who?'],
    ['331 Password.', '530 Not with open sesame.', 'it refuses the login of monitor with 530 Not with ****.'],
    ['331 Password.', '332 Account.', 'it refuses the login of monitor with 332 Account.'],
    ['332 Account.', '', 'it refuses the login of monitor with 332 Account.'],
  ])('fails where USER gives %s and PASS %s', async (user, pass, problem) => {
    const { port } = await scripted(
      ftpScript({ verbs: { USER: (visit) => visit.reply(user), PASS: (visit) => visit.reply(pass) } }),
    )
    expect(await check({ port, health: login })).toEqual(failed(problem))
  })

  test('needs no password where the user is enough', async () => {
    const { port } = await scripted(ftpScript({ verbs: { USER: (visit) => visit.reply('230 In.') } }))
    expect(await check({ port, health: login })).toEqual(passed)
  })

  test('fails where the server hangs up, is silent or never stops', async () => {
    const gone = await scripted(ftpScript({ verbs: { PASS: (visit) => visit.wire.close() } }))
    expect(await check({ port: gone.port, health: login })).toEqual(
      failed('it closed the connection before the login was over'),
    )
    const silent = await scripted(ftpScript({ verbs: { PASS: () => undefined } }))
    expect(await check({ port: silent.port, health: { ...login, timeoutMs: 100 } })).toEqual(
      failed('no answer within 100 ms'),
    )
    const endless = await scripted(ftpScript({ greeting: `220-${'x\r\n220-'.repeat(12_000)}` }))
    expect(await check({ port: endless.port, health: login })).toEqual(
      failed('it talks and talks before the login is over'),
    )
  })

  test('says nothing of the server when the password cannot be read, and nothing to it', async () => {
    const said: string[] = []
    const { port } = await scripted(async (visit) => {
      await ftpScript()(visit)
      said.push(...visit.lines)
    })
    expect(await check({ port, health: { ...login, passwordFile: '/nowhere/password' } })).toEqual({
      type: 'unknown',
      defect: 'upstreams[files].health.passwordFile: /nowhere/password cannot be read: ENOENT',
    })
    expect(said).toEqual([])
  })
})

test('a server that is ourselves fails, after the check has begun', async () => {
  expect(await check({ port: 1, isOurs: true, health: { expect: 'connect' } })).toEqual(
    failed('127.0.0.1 port 1 is one of our own listeners'),
  )
})

describe('a check with TLS', () => {
  const certificate = issueCertificate({ name: 'localhost', names: ['localhost'] })
  const ca = files.write('ca.crt', certificate.certificate)

  async function secure(mode: TlsMode, host: string, expected: HealthConfig['expect']) {
    const server = await startFtpsServer({ address: '127.0.0.1', mode, certificate })
    onTestFinished(() => server.close())
    const config = upstreamTls({ mode: mode === 'implicit' ? 'implicit' : 'required', verify: 'full', ca })
    const context = new UpstreamContext(openssl, config)
    onTestFinished(() => context.release())
    const tls = openCheckTls({ context, config }, { host, handshakeMs: 2_000 })
    const health = expected === 'login' ? { ...login, expect: expected } : { expect: expected }
    return check({ port: server.port, health, tls })
  }

  test.each(
    (['explicit', 'implicit'] as const).flatMap((mode) =>
      (['greeting', 'login'] as const).map((expected) => [mode, expected] as const),
    ),
  )('%s, %s: passes', async (mode, expected) => {
    expect(await secure(mode, 'localhost', expected)).toEqual(passed)
  })

  test('fails with a server whose certificate sessions would not accept, or that has none', async () => {
    expect(await secure('explicit', 'ftp.example.net', 'greeting')).toEqual(
      failed('no TLS with it: hostname mismatch'),
    )
    expect(await secure('plain', 'localhost', 'login')).toEqual(failed('it refuses TLS with 502 No AUTH.'))
  })
})

test.each([
  ['v1', 'PROXY UNKNOWN\r\n'],
  ['v2', '\r\n\r\n\0\r\nQUIT\n\x20\0\0\0'],
] as const)('a server that expects PROXY headers gets one from checks, too: %s', async (version, header) => {
  let heard = ''
  const { port } = await scripted(async (visit) => {
    heard = await visit.wire.readBytes(header.length)
    await ftpScript()(visit)
  })
  expect(await check({ port, health: { expect: 'greeting' }, pool: { proxyProtocol: version } })).toEqual(
    passed,
  )
  expect(heard).toBe(header)
})
