// The client's side of HTTP CONNECT. @see RFC 9110 §9.3.6

import { isIPv6 } from 'node:net'
import type { UpstreamFailure } from '../../../engine/contract.ts'
import { type ProxyCredentials, refused, type TunnelDialogue, type TunnelTarget } from './dialogue.ts'

/** Headers of an answer that are longer than this are none. */
const MAX_HEAD_BYTES = 16 * 1024

export function httpConnect(
  { host, port }: TunnelTarget,
  credentials: ProxyCredentials | null,
): TunnelDialogue {
  const authority = `${isIPv6(host) ? `[${host}]` : host}:${port}`
  const head = [`CONNECT ${authority} HTTP/1.1`, `Host: ${authority}`]
  if (credentials !== null) {
    const { user, password } = credentials
    head.push(`Proxy-Authorization: Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`)
  }
  return {
    opening: Buffer.from(`${head.join('\r\n')}\r\n\r\n`),
    read(bytes) {
      const end = bytes.indexOf('\r\n\r\n')
      if (end === -1 && bytes.length <= MAX_HEAD_BYTES) return null
      const [line = ''] = bytes.toString('latin1', 0, Math.min(Math.max(end, 0) || 200, 200)).split('\r\n')
      const status = Number(/^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(line)?.[1])
      if (end === -1 || Number.isNaN(status)) return refused('proxy_refused', 'it does not speak HTTP')
      if (status >= 200 && status < 300) return { type: 'open', length: end + 4 }
      return refused(failureOf(status), line)
    },
  }
}

/** What a status says of the server behind the proxy, or of the proxy itself. */
function failureOf(status: number): UpstreamFailure {
  if (status === 504) return 'timeout'
  return status === 502 || status === 503 ? 'unreachable' : 'proxy_refused'
}
