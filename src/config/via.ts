// `via:` of a pool: the proxy through which its servers are reached.

import { parseHost } from './address.ts'
import { accept, type Parsed, refuse, type TextForm } from './complaint.ts'
import type { ViaConfig } from './config.ts'
import { parsePort } from './port-range.ts'
import { formatUpstream } from './socket-address.ts'

const usualPort = { socks5: 1080, http: 3128 } as const
const HIDDEN = '****'
/** RFC 1929 §2. */
const MAX_CREDENTIAL_BYTES = 255

export const viaForm: TextForm<ViaConfig> = {
  name: 'proxy',
  allowed:
    'socks5://[USER:PASSWORD@]HOST[:PORT] (port 1080) or http://… (port 3128), special characters of user and password as %XX',
  pattern: '^(socks5|http)://([^@/?# ]+@)?[^@/?# ]+/?$',
  parse: parseVia,
  show: (text) => text.replace(/\/\/.*@/, `//${HIDDEN}@`),
}

/** `'socks5://proxy.internal'` gives `{ protocol: 'socks5', host: 'proxy.internal', port: 1080, credentials: null }`. */
export function parseVia(text: string): Parsed<ViaConfig> {
  const parts = /^(socks5|http):\/\/(?:([^@/?#\s]*)@)?(\[[^\]\s]*\]|[^:@/?#\s]*)(?::(\d*))?\/?$/.exec(text)
  if (parts === null) return refuse('is not the URL of a proxy')
  const [, scheme, userInfo, hostText = '', digits] = parts
  const protocol = scheme === 'http' ? 'http' : 'socks5'
  const host = parseHost(hostText.replace(/^\[(.*)\]$/, '$1'))
  if (!host.ok) return host
  const port = digits === undefined ? accept(usualPort[protocol]) : parsePort(digits)
  if (!port.ok) return port
  const proxy = { protocol, host: host.value, port: port.value } as const
  if (userInfo === undefined) return accept({ ...proxy, credentials: null })
  const credentials = parseCredentials(userInfo)
  return credentials.ok ? accept({ ...proxy, credentials: credentials.value }) : credentials
}

function parseCredentials(userInfo: string): Parsed<NonNullable<ViaConfig['credentials']>> {
  const colon = userInfo.indexOf(':')
  if (colon === -1) return refuse('has a user and no password')
  try {
    const [user, password] = [userInfo.slice(0, colon), userInfo.slice(colon + 1)].map(decodeURIComponent)
    if (user === undefined || password === undefined || user === '')
      return refuse('has no user before the colon')
    const isLong = [user, password].some((each) => Buffer.byteLength(each) > MAX_CREDENTIAL_BYTES)
    return isLong
      ? refuse(`has a user or password of more than ${MAX_CREDENTIAL_BYTES} bytes`)
      : accept({ user, password })
  } catch {
    return refuse('has a % that is not followed by two hexadecimal digits of UTF-8')
  }
}

/** Without the password: what is printed may be kept. */
export function formatVia({ protocol, host, port, credentials }: ViaConfig): string {
  const userInfo = credentials === null ? '' : `${encodeURIComponent(credentials.user)}:${HIDDEN}@`
  return `${protocol}://${userInfo}${formatUpstream({ host, port })}`
}
