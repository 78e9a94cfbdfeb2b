import { createHash, X509Certificate } from 'node:crypto'
import { createServer, type Server, type Socket } from 'node:net'
import { createSecureContext, TLSSocket } from 'node:tls'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { checkUpstreamTls } from '../../../src/cli/doctor/upstream-tls.ts'
import type { UpstreamTlsConfig } from '../../../src/config/config.ts'
import { authority, issue, PemFolder, upstreamTls } from '../tls/stand.ts'

const files = new PemFolder()
afterAll(() => files.close())
const ca = files.write('ca.crt', authority.certificate)
const pair = issue({ name: 'ftp.internal', names: ['localhost'] })

describe('a server that is to speak TLS', () => {
  const open: (() => void)[] = []
  afterEach(() => {
    for (const close of open.splice(0)) close()
  })

  /** Answers AUTH so; 234 begins TLS. `implicit`: TLS is first. */
  async function serverThat(answers: string | 'implicit' | 'nothing', certificate = pair): Promise<number> {
    const secureContext = createSecureContext({ cert: certificate.certificate, key: certificate.key })
    const talk = (socket: Socket) => {
      socket.on('error', () => undefined)
      socket.on('data', (bytes) => {
        if (!String(bytes).startsWith('AUTH')) socket.write('530 Log in first.\r\n')
        else if (answers.startsWith('234')) {
          socket.write(`${answers}\r\n`)
          socket.removeAllListeners('data')
          talk(new TLSSocket(socket, { isServer: true, secureContext }))
        } else socket.write(`${answers}\r\n`)
      })
    }
    const server: Server = createServer((socket) => {
      open.push(() => socket.destroy())
      socket.on('error', () => undefined)
      if (answers === 'nothing') return
      const greeted =
        answers === 'implicit' ? new TLSSocket(socket, { isServer: true, secureContext }) : socket
      talk(greeted)
      greeted.write('220 Hello.\r\n')
    })
    open.push(() => server.close())
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('the server is not bound')
    return address.port
  }

  const ask = (port: number, over: Partial<UpstreamTlsConfig>, timeoutMs = 5000) =>
    checkUpstreamTls(
      { check: 'upstream of edge', host: 'localhost', port, tls: upstreamTls({ ca, ...over }) },
      timeoutMs,
    )

  it.each(['234 Go ahead.', 'implicit'])('and does (%s) is told with all that it shows', async (answers) => {
    const port = await serverThat(answers)
    const mode = answers === 'implicit' ? 'implicit' : 'required'
    const { state, found } = await ask(port, { mode })
    expect(found).toMatch(
      /^localhost port \d+ speaks TLSv1\.3 \(TLS_\w+\); its certificate is CN=ftp\.internal of CN=Test CA until \d{4}-\d\d-\d\d, key sha256\/\S+=; accepted: authority and name; sessions resume/,
    )
    expect(state).toBe('ok')
  })

  it('and whose authority is another is told with its certificate, and what to set', async () => {
    const port = await serverThat('234 Go ahead.')
    expect(await ask(port, { ca: null })).toMatchObject({
      state: 'fail',
      found: expect.stringMatching(
        /TLS failed: .*certificate.*; its certificate is CN=ftp\.internal of CN=Test CA/,
      ),
      cure: expect.stringContaining('upstreamTls.ca'),
    })
  })

  it('and has another name is told so', async () => {
    const port = await serverThat('234 Go ahead.', issue({ name: 'elsewhere.example' }))
    expect(await ask(port, {})).toMatchObject({
      state: 'fail',
      found: expect.stringMatching(/hostname mismatch.*CN=elsewhere\.example/),
      cure: expect.stringContaining('upstreamTls.name'),
    })
  })

  it('and is checked by nothing is warned of, with the pin that would check it', async () => {
    const port = await serverThat('234 Go ahead.')
    const key = new X509Certificate(pair.certificate).publicKey.export({ type: 'spki', format: 'der' })
    const pin = `sha256/${createHash('sha256').update(key).digest('base64')}`
    const { state, cure } = await ask(port, { verify: 'none' })
    expect([state, cure]).toEqual(['warn', `verify: pin, with pins: [${pin}]`])
    expect((await ask(port, { verify: 'pin', pins: [pin] })).state).toBe('ok')
    const other = `sha256/${'A'.repeat(43)}=`
    expect(await ask(port, { verify: 'pin', pins: [other] })).toMatchObject({
      state: 'fail',
      found: expect.stringContaining(pin),
    })
  })

  it.each([
    ['required', 'fail'],
    ['optional', 'warn'],
    ['as-client', 'warn'],
  ] as const)('and refuses it matters with %s (%s)', async (mode, state) => {
    const port = await serverThat('502 What?')
    const finding = await ask(port, { mode })
    expect(finding.state).toBe(state)
    expect(finding.found).toContain('refuses AUTH TLS: 502 What?')
  })

  it('and is plain where TLS is implicit is told at once', async () => {
    const port = await serverThat('234 Go ahead.')
    expect(await ask(port, { mode: 'implicit' })).toMatchObject({
      state: 'fail',
      cure: expect.stringContaining('implicit or explicit'),
    })
  })

  it('and says nothing is given up', async () => {
    const port = await serverThat('nothing')
    expect(await ask(port, {}, 100)).toMatchObject({
      state: 'fail',
      found: expect.stringContaining('no TLS within 100 ms'),
    })
  })
})
