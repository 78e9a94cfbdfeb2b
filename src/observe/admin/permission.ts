// Who may change something. Nothing is allowed by being in a browser that was here before: there are no cookies, and a
// page that is not ours cannot know the token. So a name that was made to point here (DNS rebinding) gains nothing.

import type { IncomingHttpHeaders } from 'node:http'
import { canonicalAddress, parseNetwork } from '../../ftp/addresses.ts'
import { isOwnHost } from './callers.ts'
import { isSameToken, readToken } from './token.ts'

export interface OperationCaller {
  readonly headers: Pick<
    IncomingHttpHeaders,
    'authorization' | 'host' | 'origin' | 'sec-fetch-site' | 'sec-fetch-mode' | 'sec-fetch-dest'
  >
  /** The address that the connection comes from. */
  readonly from: string
}

export interface Refusal {
  readonly status: 401 | 403
  readonly text: string
}

/** Null, or why this caller may not; `token` is the file that holds it. Errors: `AlgError`, see `readToken`. */
export function tokenRefusal(
  { headers }: Pick<OperationCaller, 'headers'>,
  token: string | undefined,
): Refusal | null {
  if (isForeignPage(headers)) return { status: 403, text: 'other web pages may not do this' }
  if (token === undefined) {
    return { status: 403, text: 'this changes something, and the configuration has no admin.token' }
  }
  const [, given] = /^Bearer +(\S+) *$/i.exec(headers.authorization ?? '') ?? []
  if (given === undefined) return { status: 401, text: 'needs the header Authorization: Bearer TOKEN' }
  return isSameToken(readToken(token), given) ? null : { status: 401, text: 'this is not the token' }
}

/** Whether `GET /drain` is answered without a token: to programs, never to browsers, in these networks. */
export function mayDrain({ headers, from }: OperationCaller, networks: readonly string[]): boolean {
  const isBrowser = ['origin', 'sec-fetch-site', 'sec-fetch-mode', 'sec-fetch-dest'].some(
    (name) => name in headers,
  )
  // Of a page whose name was made to point here, a browser may send none of these: but the name is in Host.
  if (isBrowser || !isOwnHost(headers.host)) return false
  const address = canonicalAddress(from)
  return networks.some((network) => parseNetwork(network)?.matches(address) !== false)
}

/** Browsers say from which page a request comes; other programs say nothing. */
function isForeignPage({ origin, host, 'sec-fetch-site': site }: OperationCaller['headers']): boolean {
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return true
  if (origin === undefined) return false
  return !URL.canParse(origin) || new URL(origin).host !== host?.toLowerCase()
}
