import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isAlive } from '../lab/alive.ts'
import { openFileLimit } from '../lab/child.ts'
import { provide, versionOf } from '../lab/debian.ts'
import type { Place } from '../lab/place.ts'
import type { System } from './system.ts'
import { everyMeasure, startIn } from './system.ts'

/** Squid's native FTP relay: one process, clients name the server in USER. */
export const squid: System = {
  id: 'squid',
  title: 'Squid ftp_port',
  role: 'peer',
  needsNamespace: false,
  forwardsInKernel: false,
  compilesAtRunTime: false,
  suits: everyMeasure,
  maxIdleSessions: 20_000,
  async prepare() {
    const provision = await provide({ packages: ['squid'], path: '/usr/sbin/squid' })
    if (!provision.ok) return provision
    const { program } = provision
    removeSharedMemory(
      (file) =>
        file.startsWith(servicePrefix) && !isAlive(Number.parseInt(file.slice(servicePrefix.length), 10)),
    )
    return {
      ok: true,
      version: await versionOf(program, ['-v'], /Version (\S+)/),
      start: async (place, account) => {
        const file = join(place.directory, 'squid.conf')
        // Written to as nobody.
        const logs = join(place.directory, 'squid')
        mkdirSync(logs, { recursive: true })
        chmodSync(logs, 0o777)
        writeFileSync(file, configuration(place, program.root))
        const { path, environment } = program
        const name = `${servicePrefix}${process.pid}p${place.index}`
        removeSharedMemory((file) => file.startsWith(name))
        const child = startIn(place, account, {
          name: 'squid',
          program: path,
          args: ['-N', '-n', name, '-f', file],
          environment,
        })
        return {
          target: { at: place.listen, user: `anonymous@${place.upstream.address}:${place.upstream.port}` },
          child,
        }
      },
    }
  },
}

function configuration({ listen, directory }: Place, root: string): string {
  return `
ftp_port ${listen.address}:${listen.port}
acl everybody src all
http_access allow everybody
cache deny all
access_log none
cache_log ${directory}/squid/cache.log
cache_store_log none
logfile_rotate 0
pid_filename none
coredump_dir ${directory}/squid
cache_effective_user nobody
max_filedescriptors ${Math.min(65_536, openFileLimit())}
client_db off
pinger_enable off
shutdown_lifetime 0 seconds
visible_hostname bench
mime_table ${root}/usr/share/squid/mime.conf
icon_directory ${root}/usr/share/squid/icons
error_directory ${root}/usr/share/squid/errors/en
`
}

/** Squid names its shared memory after the service, and refuses to start over what a killed one left behind. */
const servicePrefix = 'ftpalgbench'
const sharedMemory = '/dev/shm'

function removeSharedMemory(isOurs: (file: string) => boolean): void {
  if (!existsSync(sharedMemory)) return
  for (const file of readdirSync(sharedMemory)) {
    if (isOurs(file)) rmSync(join(sharedMemory, file), { force: true })
  }
}
