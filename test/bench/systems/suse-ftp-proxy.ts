import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { provide, versionOf } from '../lab/debian.ts'
import type { Place } from '../lab/place.ts'
import type { System } from './system.ts'
import { everyMeasure, startIn } from './system.ts'

/** SuSE Proxy-Suite ftp-proxy (Debian `ftp-proxy`): a process per session. */
export const suseFtpProxy: System = {
  id: 'suse',
  title: 'SuSE ftp-proxy',
  role: 'peer',
  needsNamespace: false,
  forwardsInKernel: false,
  compilesAtRunTime: false,
  suits: everyMeasure,
  // MaxClients cannot be more than 512.
  maxIdleSessions: 500,
  async prepare() {
    const provision = await provide({ packages: ['ftp-proxy'], path: '/usr/sbin/ftp-proxy' })
    if (!provision.ok) return provision
    const { program } = provision
    return {
      ok: true,
      version: await versionOf(program, ['-V'], /[Vv]ersion (\d[\w.]*)/),
      start: async (place, account) => {
        const file = join(place.directory, 'ftp-proxy.conf')
        writeFileSync(file, configuration(place))
        const { path, environment } = program
        const args = ['-d', '-n', '-f', file]
        return {
          target: { at: place.listen, user: 'anonymous' },
          child: startIn(place, account, { name: 'ftp-proxy', program: path, args, environment }),
        }
      },
    }
  },
}

function configuration({ listen, upstream, dataPorts, directory }: Place): string {
  return `[-Global-]
ServerType standalone
Listen ${listen.address}
Port ${listen.port}
DestinationAddress ${upstream.address}
DestinationPort ${upstream.port}
DestinationTransferMode passive
PassiveMinDataPort ${dataPorts.first}
PassiveMaxDataPort ${dataPorts.last}
SockBindRand yes
MaxClients 512
ForkLimit 1000000
LogDestination ${directory}/ftp-proxy.log
LogLevel ERR
`
}
