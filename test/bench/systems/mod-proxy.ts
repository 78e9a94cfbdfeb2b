import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { provide, versionOf } from '../lab/debian.ts'
import type { Place } from '../lab/place.ts'
import type { System } from './system.ts'
import { everyMeasure, startIn } from './system.ts'

/** ProFTPD with mod_proxy as a reverse proxy: a process per session. */
export const modProxy: System = {
  id: 'mod_proxy',
  title: 'ProFTPD mod_proxy',
  role: 'peer',
  needsNamespace: false,
  forwardsInKernel: false,
  compilesAtRunTime: false,
  suits: everyMeasure,
  // About 2 MB each.
  maxIdleSessions: 200,
  async prepare() {
    const modules = '/usr/lib/proftpd'
    const provision = await provide({
      // mod_proxy leans on mod_tls for its OpenSSL symbols.
      packages: ['proftpd-core', 'proftpd-mod-crypto', 'proftpd-mod-proxy'],
      path: '/usr/sbin/proftpd',
      files: [`${modules}/mod_proxy.so`, `${modules}/mod_tls.so`],
    })
    if (!provision.ok) return provision
    const { program } = provision
    const version = await versionOf(program, ['-v'], /Version (\S+)/)
    return {
      ok: true,
      version: `in ProFTPD ${version}`,
      start: async (place, account) => {
        const file = join(place.directory, 'proftpd.conf')
        mkdirSync(join(place.directory, 'tables'), { recursive: true, mode: 0o700 })
        writeFileSync(file, configuration(place, program.root + modules))
        const { path, environment } = program
        const args = ['-n', '-c', file]
        return {
          target: { at: place.listen, user: 'anonymous' },
          child: startIn(place, account, { name: 'proftpd', program: path, args, environment }),
        }
      },
    }
  },
}

function configuration({ listen, upstream, dataPorts, directory }: Place, modules: string): string {
  return `
ModulePath ${modules}
LoadModule mod_tls.c
LoadModule mod_proxy.c
ServerType standalone
ServerName bench
DefaultAddress ${listen.address}
Port ${listen.port}
SocketBindTight on
UseIPv6 off
UseReverseDNS off
User nobody
Group nogroup
MaxInstances none
PassivePorts ${dataPorts.first} ${dataPorts.last}
SystemLog ${directory}/proftpd-system.log
TransferLog none
WtmpLog off
PidFile ${directory}/proftpd.pid
ScoreboardFile ${directory}/proftpd.scoreboard
DelayEngine off
<IfModule mod_delay.c>
  DelayEngine off
</IfModule>
ProxyEngine on
ProxyRole reverse
ProxyTables ${directory}/tables
ProxyReverseServers ftp://${upstream.address}:${upstream.port}
ProxyDataTransferPolicy PASV
`
}
