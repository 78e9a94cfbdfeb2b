// Where the matrix of FTPS takes place: every server, and a listener for each way to it. The servers accept nothing in clear.

import type { ServerKind } from '../../support/servers/server.ts'

export type Front = 'plain' | 'explicit' | 'implicit'

export const fronts: readonly Front[] = ['plain', 'explicit', 'implicit']

export interface MatrixServer {
  readonly name: string
  readonly kind: ServerKind
  /** `none` stands behind TLS that clients have to speak. */
  readonly tls: 'none' | 'explicit' | 'implicit'
}

export const servers: readonly MatrixServer[] = [
  { name: 'vsftpd, no TLS', kind: 'vsftpd', tls: 'none' },
  { name: 'pyftpdlib, no TLS', kind: 'pyftpdlib', tls: 'none' },
  { name: 'vsftpd explicit', kind: 'vsftpd', tls: 'explicit' },
  { name: 'vsftpd implicit', kind: 'vsftpd', tls: 'implicit' },
  { name: 'ProFTPD explicit', kind: 'proftpd', tls: 'explicit' },
  { name: 'ProFTPD implicit', kind: 'proftpd', tls: 'implicit' },
  { name: 'Pure-FTPd explicit', kind: 'pure-ftpd', tls: 'explicit' },
]

export interface Way {
  readonly front: Front
  readonly server: MatrixServer
  /** Whether data connections must resume the session of their control connection. */
  readonly reuse: 'required' | 'offered'
}

export const waysOf = (front: Front): readonly Way[] =>
  servers
    .filter(({ tls }) => front !== 'plain' || tls !== 'none')
    .map((server) => ({ front, server, reuse: 'required' }))

/** The same for clients that cannot resume. */
export const withoutReuse = (way: Way): Way => ({ ...way, reuse: 'offered' })

const allWays = fronts.flatMap((front) => waysOf(front).flatMap((way) => [way, withoutReuse(way)]))

export interface Ports {
  /** Of the servers, a hundred. */
  readonly servers: number
  /** Of the proxy, a hundred. */
  readonly proxy: number
}

export const serverPort = ({ servers: first }: Ports, server: MatrixServer) => first + servers.indexOf(server)
export const passivePorts = ({ servers: first }: Ports, server: MatrixServer) => {
  const at = first + 10 + 12 * servers.indexOf(server)
  return { first: at, last: at + 11 }
}
export const listenerName = ({ front, server, reuse }: Way) =>
  `${front}-${server.name.replaceAll(/[^\w-]+/g, '-')}-${reuse}`
export const listenerPort = ({ proxy: first }: Ports, { front, server, reuse }: Way) =>
  first + allWays.findIndex((way) => way.front === front && way.server === server && way.reuse === reuse)
export const adminPort = ({ proxy: first }: Ports) => first + allWays.length

export function configuration(folder: string, ports: Ports): string {
  const certificates = `[{ certificate: ${folder}/edge.crt, key: ${folder}/edge.key }]`
  const mode = { plain: 'off', none: 'off', explicit: 'required', implicit: 'implicit' } as const
  const listeners = allWays.map((way) => {
    const { front, server, reuse } = way
    const tls =
      front === 'plain'
        ? ''
        : `\n    tls: { mode: ${mode[front]}, dataReuse: ${reuse}, ccc: allow, certificates: ${certificates} }`
    const upstreamTls =
      server.tls === 'none' ? '' : `\n    upstreamTls: { mode: ${mode[server.tls]}, ca: ${folder}/ca.crt }`
    return `  - name: ${listenerName(way)}
    listen: 127.0.0.1:${listenerPort(ports, way)}
    upstream: 127.0.0.1:${serverPort(ports, server)}${tls}${upstreamTls}
`
  })
  const firstData = adminPort(ports) + 1
  return `listeners:\n${listeners.join('')}dataPorts: ${firstData}-${ports.proxy + 99}\nlimits: { sessionsPerClient: 1000 }\n`
}
