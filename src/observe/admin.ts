// The admin HTTP server: metrics, probes, an API and the status page. Whoever can reach it sees addresses and user
// names, so it listens on loopback unless told otherwise; what changes something needs a token besides.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { getSystemErrorMap } from 'node:util'
import type { AdminConfig, ListenAddress } from '../config/config.ts'
import { AlgError } from '../errors.ts'
import type { Endpoint } from '../ftp/endpoints.ts'
import { type AnswerOptions, type Answers, createAnswers } from './admin/answers.ts'
import { rejectionOf } from './admin/callers.ts'
import { limitConnections } from './admin/connections.ts'
import { createOperator, type Operator } from './admin/operate.ts'
import type { AdminOperations } from './admin/operations.ts'
import { readToken } from './admin/token.ts'
import type { Recorder } from './recorder.ts'

export interface AdminServer {
  /** Binds; gives the address with the port that was taken. Errors: `AlgError` LISTEN_FAILED. */
  start(): Promise<Endpoint>
  /** Closes the listener and every connection. */
  stop(): Promise<void>
}

export interface AdminOptions extends Omit<AnswerOptions, 'canAct'>, AdminConfig {
  readonly observer: AnswerOptions['observer'] & Pick<Recorder, 'log'>
  readonly operations: AdminOperations
}

/** A peer gets this long to send its request, and to take its answer. */
const REQUEST_TIMEOUT_MS = 5000
const MAX_HEADER_BYTES = 8192
const MAX_CONNECTIONS = 64

const headers = {
  'Cache-Control': 'no-store',
  'Content-Security-Policy':
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
} as const

export function createAdminServer(options: AdminOptions): AdminServer {
  const { observer, ready, listen, token, drainFrom, operations } = options
  const answers = createAnswers({ observer, ready, canAct: token !== undefined })
  const operator = createOperator({ operations, token, drainFrom, log: observer.log })
  const isLoopback = listen.address === '::1' || listen.address.startsWith('127.')
  const server = createServer(
    {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: REQUEST_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: REQUEST_TIMEOUT_MS,
      connectionsCheckingInterval: 1000,
    },
    (request, response) => void respond(request, response, { answers, operator, observer, isLoopback }),
  )
  server.timeout = 2 * REQUEST_TIMEOUT_MS
  limitConnections(server, MAX_CONNECTIONS)
  return {
    start: async () => {
      // A token that cannot be read should be known now, and not when it is needed.
      if (token !== undefined) readToken(token)
      const at = await bind(server, listen)
      server.on('error', (error) => say(observer, 'admin.error', { error }))
      return at
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function bind(server: Server, { address, port }: ListenAddress): Promise<Endpoint> {
  return new Promise((resolve, reject) => {
    const failed = (cause: NodeJS.ErrnoException) => {
      const [name, text] = getSystemErrorMap().get(cause.errno ?? 0) ?? [cause.code, cause.message]
      if (name === 'EACCES' && port < 1024) {
        const what = `cannot listen for admin on ${address} port ${port}`
        const context = { address, port, errno: name }
        reject(
          new AlgError('PRIVILEGE_MISSING', `${what}: ports below 1024 need CAP_NET_BIND_SERVICE`, {
            context,
          }),
        )
        return
      }
      reject(
        new AlgError(
          'LISTEN_FAILED',
          `cannot listen for admin on ${address} port ${port}: ${text} (${name})`,
          {
            context: { address, port, errno: name },
            cause,
          },
        ),
      )
    }
    server.once('error', failed)
    server.listen({ host: address, port }, () => {
      server.off('error', failed)
      // A TCP server that listens has an address object.
      const bound = server.address() as AddressInfo
      resolve({ address: bound.address, port: bound.port })
    })
  })
}

interface Responding {
  readonly answers: Answers
  readonly operator: Operator
  readonly observer: Pick<Recorder, 'log'>
  readonly isLoopback: boolean
}

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  { answers, operator, observer, isLoopback }: Responding,
): Promise<void> {
  const { headers: asked, method = '', url = '' } = request
  const [path = '', query = ''] = url.split('?')
  try {
    const asks = new URLSearchParams(query)
    const operation = operator({
      method,
      path,
      query: asks,
      headers: asked,
      from: request.socket.remoteAddress ?? '',
    })
    if (operation !== null) {
      await operate(request, response, operation)
      return
    }
    if (method !== 'GET' && method !== 'HEAD') {
      refuse(response, 405, 'only GET and HEAD are allowed here')
      return
    }
    const rejection = rejectionOf({ headers: asked, path, isLoopback })
    if (rejection !== null) {
      refuse(response, rejection.status, rejection.text)
      return
    }
    const found = await answers.at(path, asks)
    if (found === null) {
      refuse(response, 404, 'no such page')
      return
    }
    const { status, type, body } = found
    response.writeHead(status, { ...headers, 'Content-Type': type, 'Content-Length': body.length })
    response.end(method === 'HEAD' ? undefined : body)
  } catch (error) {
    say(observer, 'admin.fail', { url_path: path, error })
    refuse(response, 500, 'this proxy has a defect, see its log')
  }
}

/** Some wait long for their answer, which is no reason to close their connection. */
async function operate(
  { socket }: IncomingMessage,
  response: ServerResponse,
  operation: NonNullable<ReturnType<Operator>>,
): Promise<void> {
  socket.setTimeout(0)
  const { status, body, allow } = await operation
  socket.setTimeout(2 * REQUEST_TIMEOUT_MS)
  const isText = typeof body === 'string'
  response.writeHead(status, {
    ...headers,
    ...(allow === undefined ? {} : { Allow: allow }),
    ...(status === 401 ? { 'WWW-Authenticate': 'Bearer' } : {}),
    // A body that was not asked for may still be on its way.
    Connection: 'close',
    'Content-Type': isText ? 'text/plain; charset=utf-8' : 'application/json; charset=utf-8',
  })
  response.end(isText ? body : `${JSON.stringify(body)}\n`)
}

function say(
  observer: Pick<Recorder, 'log'>,
  event: 'admin.error' | 'admin.fail',
  fields: Readonly<Record<string, unknown>>,
): void {
  observer.log(event, fields)
}

/** The connection goes too: a body that nobody wanted may still be on its way. */
function refuse(response: ServerResponse, status: 403 | 404 | 405 | 421 | 500, text: string): void {
  if (response.headersSent) {
    response.destroy()
    return
  }
  const allow = status === 405 ? { Allow: 'GET, HEAD' } : {}
  response.writeHead(status, {
    ...headers,
    ...allow,
    Connection: 'close',
    'Content-Type': 'text/plain; charset=utf-8',
  })
  response.end(`${text}\n`)
}
