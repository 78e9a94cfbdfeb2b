// A connection to a server as a session gets one: by its names, through the proxy of its pool, behind a PROXY header.

import { resolveSrv } from 'node:dns/promises'
import type { PoolConfig } from '../../config/config.ts'
import { Dialer } from '../../net/upstream/dial.ts'
import { Names } from '../../net/upstream/names.ts'
import { Upstreams } from '../../net/upstream/upstreams.ts'
import type { Connection } from '../../tcp/connection.ts'
import { writeOwnHeader } from '../../tcp/proxy-protocol/header.ts'
import type { Tcp } from '../../tcp/tcp.ts'

/** What a pool says of the way to its servers; null where it is nothing. */
export type Path = Pick<PoolConfig, 'via' | 'proxyProtocol'> | null

export interface Place {
  readonly host: string
  readonly port: number
}

/** Rejects with the reason in a sentence. The PROXY header, if any, is sent. */
export function reach(
  tcp: Tcp,
  {
    place,
    path,
    timeoutMs,
  }: { readonly place: Place; readonly path: Path | undefined; readonly timeoutMs: number },
): Promise<Connection> {
  const upstreams = new Upstreams({
    names: new Names({ log: () => undefined }),
    dialer: new Dialer({ tcp, connectAs: null }),
    // Whether a server is this very proxy is judged by sessions.
    isOwnListener: () => false,
    connectMs: timeoutMs,
  })
  return new Promise((resolve, reject) => {
    const target = { host: place.host, port: place.port }
    upstreams.connect({ target, as: null, via: path?.via ?? null }, (error, reached) => {
      if (reached === null) {
        reject(error)
        return
      }
      const { connection } = reached
      const version = path?.proxyProtocol ?? 'off'
      if (version !== 'off') {
        const header = writeOwnHeader(version)
        connection.writeBytes(header, header.length)
      }
      resolve(connection)
    })
  })
}

/** `' through the socks5 proxy proxy.internal port 1080, behind a PROXY header (v2)'`. */
export function pathText(path: Path | undefined): string {
  if (path == null) return ''
  const { via, proxyProtocol } = path
  const through = via === null ? '' : ` through the ${via.protocol} proxy ${via.host} port ${via.port}`
  return proxyProtocol === 'off' ? through : `${through}, behind a PROXY header (${proxyProtocol})`
}

/** The servers of a service (SRV). Rejects where DNS has none. */
export async function serversOfService(name: string): Promise<readonly Place[]> {
  const records = (await resolveSrv(name)).filter((record) => record.name !== '')
  if (records.length === 0) throw new Error(`${name} is a service without servers`)
  return records.map((record) => ({ host: record.name, port: record.port }))
}
