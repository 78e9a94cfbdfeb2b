import { request } from 'node:http'
import { getSystemErrorMap } from 'node:util'
import { AlgError } from '../../errors.ts'
import type { PinholeView, SessionView, StatusAnswer } from '../../observe/view/shapes.ts'
import type { AdminAddress } from './admin-address.ts'

/** What the three pages of the API say; lists hold up to 1000. */
export interface Snapshot {
  readonly status: StatusAnswer
  readonly sessions: { readonly total: number; readonly sessions: readonly SessionView[] }
  readonly pinholes: { readonly total: number; readonly pinholes: readonly PinholeView[] }
}

const TIMEOUT_MS = 5000
/** A thousand sessions are half a megabyte. */
const MAX_ANSWER_BYTES = 16 << 20

/** Errors: `AlgError` RUNTIME_FAILED, in words for whoever types the command. */
export async function askAdmin(address: AdminAddress): Promise<Snapshot> {
  const [status, sessions, pinholes] = await Promise.all(
    ['status', 'sessions', 'pinholes'].map((name) => ask(address, `/api/v1/${name}`)),
  )
  const isOurs = hasKeys(status, 'version', 'listeners', 'pools', 'refusals', 'config')
  if (!isOurs || !hasKeys(sessions, 'total', 'sessions') || !hasKeys(pinholes, 'total', 'pinholes')) {
    throw notOurs(address, 'other JSON')
  }
  // Whoever has these keys speaks our language; a page of another version is caught where it is printed.
  return { status, sessions, pinholes } as unknown as Snapshot
}

/** Lets the proxy do something; waits `waitMs` longer for its answer. Errors: `AlgError` RUNTIME_FAILED. */
export function askAs(
  address: AdminAddress,
  { path, token, waitMs }: { readonly path: string; readonly token: string; readonly waitMs: number },
): Promise<Answered> {
  const headers = { Authorization: `Bearer ${token}` }
  return send(address, { method: 'POST', path, headers }, TIMEOUT_MS + waitMs)
}

interface Answered {
  readonly status: number
  readonly body: string
}

async function ask(address: AdminAddress, path: string): Promise<unknown> {
  const { status, body } = await send(address, { method: 'GET', path, headers: {} }, TIMEOUT_MS)
  if (status !== 200) throw notOurs(address, `HTTP ${status} for ${path}`)
  try {
    return JSON.parse(body)
  } catch {
    throw notOurs(address, `no JSON for ${path}`)
  }
}

function send(
  address: AdminAddress,
  what: {
    readonly method: string
    readonly path: string
    readonly headers: Readonly<Record<string, string>>
  },
  timeoutMs: number,
): Promise<Answered> {
  const { host, port } = address
  return new Promise((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException) => {
      asking.destroy()
      reject(noAnswer(address, error))
    }
    // By any other name a listener on loopback might not know itself.
    const options = {
      host,
      port,
      ...what,
      agent: false,
      headers: { Host: 'localhost', Accept: 'application/json', ...what.headers },
    }
    const asking = request(options, (response) => {
      const chunks: Buffer[] = []
      let bytes = 0
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        if (bytes > MAX_ANSWER_BYTES) fail(new Error('its answer is too long'))
        else chunks.push(chunk)
      })
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }),
      )
      response.on('error', fail)
    })
    const limit = setTimeout(() => fail(new Error(`nothing came within ${timeoutMs / 1000} s`)), timeoutMs)
    asking.on('error', fail)
    asking.on('close', () => clearTimeout(limit))
    asking.end()
  })
}

function hasKeys(value: unknown, ...keys: readonly string[]): boolean {
  return typeof value === 'object' && value !== null && keys.every((key) => key in value)
}

function noAnswer({ text }: AdminAddress, error: NodeJS.ErrnoException): AlgError {
  const [name, words] = getSystemErrorMap().get(error.errno ?? 0) ?? [null, error.message]
  const why = name === null ? words : `${words} (${name})`
  return new AlgError(
    'RUNTIME_FAILED',
    `no answer from the admin listener at ${text}: ${why}. Is ftp-alg running, and is this its admin.listen?`,
    { context: { address: text }, cause: error },
  )
}

function notOurs({ text }: AdminAddress, what: string): AlgError {
  return new AlgError(
    'RUNTIME_FAILED',
    `what answers at ${text} is not the admin listener of ftp-alg: ${what}`,
    {
      context: { address: text },
    },
  )
}
