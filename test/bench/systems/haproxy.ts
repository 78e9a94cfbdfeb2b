import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { provide, versionOf } from '../lab/debian.ts'
import type { Place } from '../lab/place.ts'
import type { System } from './system.ts'
import { startIn } from './system.ts'

/**
 * HAProxy as a plain TCP relay with splice(2), the whole data range bound: it knows no FTP, so the server has to announce
 * the relay's address itself. What a byte costs the best general relay.
 */
export const haproxy: System = {
  id: 'haproxy',
  title: 'HAProxy TCP, no FTP',
  role: 'peer',
  needsNamespace: false,
  forwardsInKernel: false,
  compilesAtRunTime: false,
  suits: new Set(['bulk', 'parallel']),
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
        writeFileSync(file, configuration(place))
        const { path, environment } = program
        return {
          target: { at: place.listen, user: 'anonymous' },
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

function configuration({ listen, upstreamForRelays, dataPorts }: Place): string {
  const { address, port } = upstreamForRelays
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
  bind ${listen.address}:${listen.port}
  server ftp ${address}:${port}
listen data
  bind ${listen.address}:${dataPorts.first}-${dataPorts.first + 199}
  server ftp ${address}
`
}
