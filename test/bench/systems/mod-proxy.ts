import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { provide, versionOf } from '../lab/debian.ts'
import type { Place } from '../lab/place.ts'
import type { System, TlsSide } from './system.ts'
import { everyMeasure, everyTlsMeasure, startIn, targetOf, upstreamOf } from './system.ts'

/** ProFTPD with mod_proxy as a reverse proxy: a process per session. */
export const modProxy: System = modProxyOf({ id: 'mod_proxy', title: 'ProFTPD mod_proxy' })

export function modProxyOf({ id, title, tls }: Pick<System, 'id' | 'title' | 'tls'>): System {
  return {
    id,
    title,
    role: 'peer',
    needsNamespace: false,
    forwardsInKernel: false,
    compilesAtRunTime: false,
    suits: tls === undefined ? everyMeasure : everyTlsMeasure,
    ...(tls === undefined ? {} : { tls }),
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
          writeFileSync(file, configuration(place, { modules: program.root + modules, tls }))
          const { path, environment } = program
          const args = ['-n', '-c', file]
          return {
            target: targetOf(place, tls),
            child: startIn(place, account, { name: 'proftpd', program: path, args, environment }),
          }
        },
      }
    },
  }
}

interface Setting {
  readonly modules: string
  readonly tls: TlsSide | undefined
}

function configuration(place: Place, { modules, tls }: Setting): string {
  const { listen, dataPorts, directory, identity } = place
  const { address, port } = upstreamOf(place, tls)
  const back = tls === 'back' || tls === 'both'
  // Whoever is loaded last is first to see a session, and TLS has to begin before mod_proxy speaks.
  const front = tls === 'front' || tls === 'both'
  return `
ModulePath ${modules}
${front ? 'LoadModule mod_proxy.c\nLoadModule mod_tls.c' : 'LoadModule mod_tls.c\nLoadModule mod_proxy.c'}
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
ProxyReverseServers ${back ? 'ftps' : 'ftp'}://${address}:${port}
ProxyDataTransferPolicy PASV
${
  back
    ? `ProxyTLSEngine on
ProxyTLSVerifyServer off
ProxyTLSProtocol TLSv1.2 TLSv1.3`
    : ''
}
${
  front
    ? `TLSEngine on
TLSOptions UseImplicitSSL
TLSProtocol TLSv1.2 TLSv1.3
TLSRequired on
TLSVerifyClient off
TLSECCertificateFile ${identity.certificate}
TLSECCertificateKeyFile ${identity.key}`
    : ''
}
`
}
