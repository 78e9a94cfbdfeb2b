// vsftpd authenticates local users through PAM: it gets its own passwd, shadow and PAM files, bind-mounted over
// the machine's in its own mount namespace.

import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { account, type FtpServer, launchServer, type ServerOptions } from './server.ts'

export function startVsftpd(options: ServerOptions): Promise<FtpServer> {
  return launchServer('vsftpd', options, async ({ root, home, tree }) => {
    const configuration = join(root, 'vsftpd.conf')
    await mkdir(join(root, 'empty'))
    await writeFile(configuration, vsftpdConfiguration(options, join(root, 'empty')))
    const { user, uid, hash } = account
    return {
      argv: [tree.program('usr/sbin/vsftpd'), configuration],
      overlay: {
        '/etc/passwd': `root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/nonexistent:/bin/false\n${user}:x:${uid}:${uid}::${home}:/bin/sh\n`,
        '/etc/group': `root:x:0:\nnogroup:x:65534:\n${user}:x:${uid}:\n`,
        '/etc/shadow': `root:*:19000::::::\nnobody:*:19000::::::\n${user}:${hash}:19000::::::\n`,
        // By this name it is read whether or not the machine has a file for vsftpd itself.
        '/etc/pam.d/other':
          'auth required pam_unix.so\naccount required pam_unix.so\nsession required pam_permit.so\n',
      },
    }
  })
}

function vsftpdConfiguration(options: ServerOptions, empty: string): string {
  const { address, port, passivePorts, modes = 'both', maxPerAddress = 0 } = options
  const ipv6 = address.includes(':')
  // `listen_address6=::` makes vsftpd 3.0.3 bind to whatever its memory held.
  const bind = address === '::' ? '' : `${ipv6 ? 'listen_address6' : 'listen_address'}=${address}`
  return `
listen=${ipv6 ? 'NO' : 'YES'}
listen_ipv6=${ipv6 ? 'YES' : 'NO'}
${bind}
listen_port=${port}
${tlsConfiguration(options)}
background=NO
anonymous_enable=NO
local_enable=YES
write_enable=YES
chroot_local_user=YES
allow_writeable_chroot=YES
secure_chroot_dir=${empty}
seccomp_sandbox=NO
pam_service_name=other
connect_from_port_20=YES
pasv_enable=${modes === 'active-only' ? 'NO' : 'YES'}
port_enable=${modes === 'passive-only' ? 'NO' : 'YES'}
pasv_min_port=${passivePorts.first}
pasv_max_port=${passivePorts.last}
xferlog_enable=NO
max_per_ip=${maxPerAddress}
local_umask=022
`
}

/** vsftpd insists on resumed data connections by itself. */
function tlsConfiguration({ tls }: ServerOptions): string {
  if (tls === undefined) return ''
  return `ssl_enable=YES
rsa_cert_file=${tls.certificate}
rsa_private_key_file=${tls.key}
ssl_ciphers=HIGH
ssl_tlsv1=YES
force_local_logins_ssl=YES
force_local_data_ssl=YES
require_ssl_reuse=YES
implicit_ssl=${tls.isImplicit ? 'YES' : 'NO'}`
}
