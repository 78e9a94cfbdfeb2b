import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { provide, versionOf } from '../lab/debian.ts'
import type { Place } from '../lab/place.ts'
import type { System, TlsSide } from './system.ts'
import { startIn, targetOf, upstreamForRelaysOf } from './system.ts'

/**
 * HAProxy as a plain TCP relay with splice(2), the whole data range bound: it knows no FTP, so the server has to announce
 * the relay's address itself. What a byte costs the best general relay.
 */
export const haproxy: System = haproxyOf({ id: 'haproxy', title: 'HAProxy TCP, no FTP' })

/** With TLS it ends or begins it on every connection, as it does for implicit FTPS. */
export function haproxyOf({ id, title, tls }: Pick<System, 'id' | 'title' | 'tls'>): System {
  return {
    id,
    title,
    role: 'peer',
    needsNamespace: false,
    forwardsInKernel: false,
    compilesAtRunTime: false,
    suits: new Set(tls === undefined ? ['bulk', 'parallel'] : ['bulk', 'handshakes']),
    ...(tls === undefined ? {} : { tls }),
    maxIdleSessions: 0,
    async prepare() {
      const provision = await provide({ packages: ['haproxy'], path: '/usr/sbin/haproxy' })
      if (!provision.ok) return provision
      const { program } = provision
      return {
        ok: true,
        version: await versionOf(program, ['-v'], /version (\d[\d.]*)/),
        start: async (place, account) => {
          const file = join(place.directory, 'haproxy.cfg')
          writeFileSync(file, configuration(place, tls))
          const { path, environment } = program
          return {
            target: targetOf(place, tls),
            child: startIn(place, account, {
              name: 'haproxy',
              program: path,
              args: ['-db', '-f', file],
              environment,
            }),
          }
        },
      }
    },
  }
}

function configuration(place: Place, tls: TlsSide | undefined): string {
  const { listen, dataPorts, identity } = place
  const { address, port } = upstreamForRelaysOf(place, tls)
  const front = tls === 'front' || tls === 'both' ? ` ssl crt ${identity.both}` : ''
  const back = tls === 'back' || tls === 'both' ? ' ssl verify none' : ''
  return `
global
  maxconn 4000
  nbthread 1
defaults
  mode tcp
  option splice-auto
  timeout connect 5s
  timeout client 60s
  timeout server 60s
listen control
  bind ${listen.address}:${listen.port}${front}
  server ftp ${address}:${port}${back}
listen data
  bind ${listen.address}:${dataPorts.first}-${dataPorts.first + 199}${front}
  server ftp ${address}${back}
`
}
