import { once } from 'node:events'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { describe, expect, onTestFinished, test } from 'vitest'
import { checkUpstream, upstreamsOf } from '../../../src/cli/doctor/upstream.ts'
import { issueCertificate } from '../../support/certificates.ts'
import { configOf } from '../config/sources.ts'

async function portOf(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  // A server of TCP that listens has an address of that kind.
  return (server.address() as AddressInfo).port
}

function check(port: number, timeoutMs = 2_000) {
  const config = configOf(
    `listeners: [{ upstream: '127.0.0.1:${port}', tls: { mode: passthrough-implicit } }]`,
  )
  const [asked] = upstreamsOf(config)
  if (asked === undefined) throw new Error('no server is asked')
  return checkUpstream(asked, timeoutMs)
}

describe('doctor, of a server whose TLS passes through from the first byte,', () => {
  test('shakes hands and says whose certificate it is', async () => {
    const { certificate, key } = issueCertificate({ name: 'ftp.example.net' })
    const port = await portOf(createTlsServer({ cert: certificate, key }))
    expect(await check(port)).toMatchObject({
      state: 'ok',
      found: `127.0.0.1 port ${port}: TLSv1.3 from the first byte, with a certificate of ftp.example.net`,
    })
  })

  test('says that it greets in clear', async () => {
    const port = await portOf(
      createServer((socket) => socket.on('error', () => undefined).end('220 Ready.\r\n')),
    )
    expect(await check(port)).toMatchObject({
      state: 'fail',
      found: `127.0.0.1 port ${port} speaks in clear where TLS should begin`,
    })
  })

  test('says that it says nothing', async () => {
    const port = await portOf(createServer((socket) => socket.on('error', () => undefined).resume()))
    expect(await check(port, 300)).toMatchObject({
      state: 'fail',
      found: `127.0.0.1 port ${port} does not begin TLS within 300 ms`,
    })
  })
})
