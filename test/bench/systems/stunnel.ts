import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { provide, versionOf } from '../lab/debian.ts'
import type { Place } from '../lab/place.ts'
import type { System } from './system.ts'
import { startIn, targetOf, upstreamForRelaysOf } from './system.ts'

/** TLS on one side of every connection, the whole data range as services of their own: it knows no FTP, as HAProxy. */
export function stunnelOf({ id, title, tls }: { id: string; title: string; tls: 'front' | 'back' }): System {
  return {
    id,
    title,
    role: 'peer',
    needsNamespace: false,
    forwardsInKernel: false,
    compilesAtRunTime: false,
    suits: new Set(['bulk', 'handshakes']),
    tls,
    maxIdleSessions: 0,
    async prepare() {
      const provision = await provide({ packages: ['stunnel4'], path: '/usr/bin/stunnel4' })
      if (!provision.ok) return provision
      const { program } = provision
      const { path, environment } = program
      return {
        ok: true,
        version: await versionOf(program, ['-version'], /stunnel (\d[\d.]*)/),
        start: async (place, account) => {
          const file = join(place.directory, 'stunnel.conf')
          writeFileSync(file, configuration(place, tls))
          return {
            target: targetOf(place, tls),
            child: startIn(place, account, { name: 'stunnel', program: path, args: [file], environment }),
          }
        },
      }
    },
  }
}

function configuration(place: Place, tls: 'front' | 'back'): string {
  const { listen, dataPorts, identity } = place
  const { address, port } = upstreamForRelaysOf(place, tls)
  const sides = tls === 'front' ? `cert = ${identity.both}` : 'client = yes'
  const service = (name: string, [from, to]: readonly [number, number]) =>
    `[${name}]\naccept = ${listen.address}:${from}\nconnect = ${address}:${to}\n${sides}\n`
  const data = Array.from({ length: 200 }, (_, i) => dataPorts.first + i)
  return `foreground = yes
syslog = no
debug = err
pid =
socket = l:TCP_NODELAY=1
socket = r:TCP_NODELAY=1
${service('control', [listen.port, port])}
${data.map((each) => service(`data-${each}`, [each, each])).join('\n')}
`
}
