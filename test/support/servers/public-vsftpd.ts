// vsftpd as many are: without accounts, on port 21, with a folder that takes uploads.

import { chmod, chown, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Place } from '../programs.ts'
import { account, type FtpServer, launchServer } from './server.ts'

export interface PublicServerOptions {
  readonly place: Place
  /** `::` is every address of both families, and what it is unless said. */
  readonly address?: string
  /** Content by name, in the folder that users see. */
  readonly files: Readonly<Record<string, string>>
  /** Where vsftpd writes what was transferred. */
  readonly log: string
}

export function startPublicVsftpd({
  place,
  address = '::',
  files,
  log,
}: PublicServerOptions): Promise<FtpServer> {
  const options = { place, address, port: 21, passivePorts: { first: 40_000, last: 49_999 } }
  return launchServer('vsftpd', options, async ({ root, home, tree }) => {
    await chmod(home, 0o555)
    await mkdir(join(root, 'empty'))
    await mkdir(join(home, 'upload'))
    await chown(join(home, 'upload'), account.uid, account.uid)
    for (const [file, content] of Object.entries(files)) await writeFile(join(home, file), content)
    const configuration = join(root, 'vsftpd.conf')
    await writeFile(configuration, publicServer({ root, home, log, address }))
    const passwd = [
      'root:x:0:0::/root:/bin/sh',
      'nobody:x:65534:65534::/nonexistent:/bin/false',
      `ftp:x:${account.uid}:${account.uid}::${home}:/bin/false`,
    ]
    return {
      argv: [tree.program('usr/sbin/vsftpd'), configuration],
      overlay: { '/etc/passwd': `${passwd.join('\n')}\n` },
    }
  })
}

interface Folders {
  readonly root: string
  readonly home: string
  readonly log: string
}

function publicServer({ root, home, log, address }: Folders & { address: string }): string {
  const listen = address === '::' ? 'listen=NO\nlisten_ipv6=YES' : `listen=YES\nlisten_address=${address}`
  return `${listen}
background=NO
anonymous_enable=YES
no_anon_password=YES
local_enable=NO
anon_root=${home}
write_enable=YES
anon_upload_enable=YES
secure_chroot_dir=${join(root, 'empty')}
seccomp_sandbox=NO
connect_from_port_20=YES
pasv_min_port=40000
pasv_max_port=49999
xferlog_enable=YES
vsftpd_log_file=${log}
`
}
