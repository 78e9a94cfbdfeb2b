// Who may read the admin server beyond those who can reach it: other people's web pages may not, although the browser
// of somebody who can reach it runs them.

import type { IncomingHttpHeaders } from 'node:http'
import { isIP } from 'node:net'

export interface Caller {
  readonly headers: Pick<IncomingHttpHeaders, 'host' | 'sec-fetch-site' | 'sec-fetch-mode'>
  /** Without query. */
  readonly path: string
  /** Whether the server is bound to loopback. */
  readonly isLoopback: boolean
}

export interface Rejection {
  readonly status: 403 | 421
  readonly text: string
}

/** Figures and probes: they name no client. */
const harmlessPaths = new Set(['/metrics', '/livez', '/readyz'])

/**
 * Null, or why this request is not answered:
 * - a page of another origin loads something from us: browsers say so. A link to us is fine, and so is what is not a
 *   browser.
 * - DNS rebinding: an attacker's host name resolves to loopback, which makes his page one of our origin. Then the
 *   name is in Host. Browsers send no Sec-Fetch-Site to such a page over plain HTTP; behind a TLS proxy that keeps the
 *   name they do, and it is let through.
 * @see https://www.w3.org/TR/fetch-metadata/
 */
export function rejectionOf({ headers, path, isLoopback }: Caller): Rejection | null {
  const { host = '', 'sec-fetch-site': site, 'sec-fetch-mode': mode } = headers
  const isForeign = site === 'cross-site' || site === 'same-site'
  if (isForeign && mode !== 'navigate') {
    return { status: 403, text: 'other web pages may link here, but not load from here' }
  }
  if (!isLoopback || harmlessPaths.has(path) || site !== undefined || isOwnName(nameIn(host))) return null
  return {
    status: 421,
    text: `this listener is on loopback and does not know the name ${nameIn(host)}; ask for localhost or an address, or let the proxy in between send one as Host`,
  }
}

/** Whether Host names an address, or a name that cannot be another's. */
export function isOwnHost(host: string | undefined): boolean {
  return isOwnName(nameIn(host ?? ''))
}

/** `'[::1]:9121'` gives `'::1'`, `'LOCALHOST:9121'` gives `'localhost'`. */
function nameIn(host: string): string {
  const [, address, name = ''] = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:]*))(?::\d*)?$/.exec(host) ?? []
  return (address ?? name).toLowerCase()
}

/** An address, localhost, or a name without a dot, which is nobody's on the Internet. */
function isOwnName(name: string): boolean {
  return isIP(name) !== 0 || !name.replace(/\.$/, '').includes('.') || name.endsWith('.localhost')
}
