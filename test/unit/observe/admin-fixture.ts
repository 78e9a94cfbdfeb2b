import { once } from 'node:events'
import { request as httpRequest, type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http'
import { connect, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'
import type { Readiness } from '../../../src/observe/admin/answers.ts'
import { createAdminServer } from '../../../src/observe/admin.ts'
import type { Recorder } from '../../../src/observe/recorder.ts'
import { notedOperations } from '../../support/operations.ts'
import { observe } from './fixture.ts'

/** An admin server on loopback; stopped after the test. */
export async function startAdmin({
  observer = observe().observer as Pick<Recorder, keyof Recorder>,
  ready = isReady,
  operations = notedOperations().operations,
  token = undefined as string | undefined,
  drainFrom = undefined as readonly string[] | undefined,
} = {}) {
  const listen = { address: '127.0.0.1', port: 0 }
  const server = createAdminServer({ observer, ready, listen, operations, token, drainFrom })
  onTestFinished(() => server.stop())
  const { port } = await server.start()
  return { port, server, observer, get: (path: string) => ask({ port, path }) }
}

export const isReady = (): Readiness => ({ ready: true, reason: '' })

export interface Answered {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

export function ask({
  port,
  path,
  method = 'GET',
  headers = {},
}: {
  port: number
  path: string
  method?: string
  headers?: OutgoingHttpHeaders
}): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      { host: '127.0.0.1', port, path, method, headers, agent: false },
      async (response) => {
        let body = ''
        for await (const chunk of response.setEncoding('utf8')) body += chunk
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body })
      },
    )
    request.on('error', reject).end()
  })
}

/** A connection on which nothing was said. */
export async function open(port: number): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port })
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  return socket
}

/** Everything that comes back until the connection ends. */
export async function talk(port: number, text: string): Promise<string> {
  const socket = await open(port)
  socket.setEncoding('utf8').write(text)
  let answer = ''
  for await (const chunk of socket) answer += chunk
  return answer
}
