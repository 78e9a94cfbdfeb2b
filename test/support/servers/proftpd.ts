import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { account, type FtpServer, launchServer, type ServerOptions } from './server.ts'

/** ProFTPD with a virtual user of its own (`AuthUserFile`). */
export function startProftpd(options: ServerOptions): Promise<FtpServer> {
  return launchServer('proftpd', options, async ({ root, home, tree }) => {
    const { user, uid, hash } = account
    const users = join(root, 'users')
    const configuration = join(root, 'proftpd.conf')
    await writeFile(users, `${user}:${hash}:${uid}:${uid}::${home}:/bin/sh\n`)
    await chmod(users, 0o600)
    const modules = join(tree.root, 'usr/lib/proftpd')
    await writeFile(
      configuration,
      `${tlsConfiguration(options, modules)}${proftpdConfiguration(options, { root, users })}`,
    )
    return { argv: [tree.program('usr/sbin/proftpd'), '--nodaemon', '--quiet', '--config', configuration] }
  })
}

function proftpdConfiguration(options: ServerOptions, files: { root: string; users: string }): string {
  const { address, port, passivePorts, modes = 'both', maxPerAddress = 0 } = options
  const refused = { both: [], 'active-only': ['PASV', 'EPSV'], 'passive-only': ['PORT', 'EPRT'] }[modes]
  return `
ServerName "ProFTPD"
ServerType standalone
DefaultAddress ${address === '::' ? '0.0.0.0' : address}
${address === '::' ? '' : 'SocketBindTight on'}
UseIPv6 on
Port ${port}
PassivePorts ${passivePorts.first} ${passivePorts.last}
User nobody
Group nogroup
AuthOrder mod_auth_file.c
AuthUserFile ${files.users}
RequireValidShell off
DefaultRoot ~
UseReverseDNS off
AllowOverwrite on
AllowRetrieveRestart on
AllowStoreRestart on
PidFile ${files.root}/pid
ScoreboardFile ${files.root}/scoreboard
DelayTable none
WtmpLog off
SystemLog none
TransferLog none
${maxPerAddress === 0 ? '' : `MaxClientsPerHost ${maxPerAddress}`}
Umask 022
${refused.length === 0 ? '' : `<Limit ${refused.join(' ')}>\nDenyAll\n</Limit>`}
<IfModule mod_delay.c>
DelayEngine off
</IfModule>
`
}

/** ProFTPD insists on resumed data connections by itself. */
function tlsConfiguration({ tls }: ServerOptions, modules: string): string {
  if (tls === undefined) return ''
  return `ModulePath ${modules}
LoadModule mod_tls.c
TLSEngine on
TLSRequired on
TLSRSACertificateFile ${tls.certificate}
TLSRSACertificateKeyFile ${tls.key}
${tls.isImplicit ? 'TLSOptions UseImplicitSSL' : ''}
`
}
