import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { runOrThrow } from '../programs.ts'
import { account, type FtpServer, launchServer, type ServerOptions } from './server.ts'

/** Pure-FTPd with a virtual user of its own (PureDB). It has no setting that refuses active mode. */
export function startPureFtpd(options: ServerOptions): Promise<FtpServer> {
  const { address, port, passivePorts, modes = 'both', maxPerAddress = 0, tls } = options
  if (tls?.isImplicit === true) throw new Error('pure-ftpd has no implicit TLS')
  if (modes === 'passive-only') throw new Error('pure-ftpd cannot be told to refuse PORT; use a firewall')
  return launchServer('pure-ftpd', options, async ({ root, home, tree }) => {
    const { user, hash, uid } = account
    const users = join(root, 'users')
    const database = join(root, 'users.pdb')
    // `pure-pw useradd` would hash with Argon2, sized to take seconds at every login.
    await writeFile(users, `${user}:${hash}:${uid}:${uid}::${home}/./::::::::::::\n`)
    await runOrThrow([tree.program('usr/bin/pure-pw'), 'mkdb', database, '-f', users], { env: tree.env })
    const pair = tls === undefined ? null : join(root, 'pair.pem')
    if (tls !== undefined && pair !== null)
      await writeFile(pair, (await readFile(tls.certificate, 'utf8')) + (await readFile(tls.key, 'utf8')))
    const bind = address === '::' ? `,${port}` : `${address},${port}`
    return {
      argv: [
        tree.program('usr/sbin/pure-ftpd'),
        '--login',
        `puredb:${database}`,
        '--bind',
        bind,
        '--passiveportrange',
        `${passivePorts.first}:${passivePorts.last}`,
        '--noanonymous',
        '--dontresolve',
        '--chrooteveryone',
        '--pidfile',
        join(root, 'pid'),
        // Its defaults are 50 clients in all and 8 per address.
        '--maxclientsnumber',
        '500',
        ...(maxPerAddress === 0 ? [] : ['--maxclientsperip', String(maxPerAddress)]),
        ...(modes === 'active-only' ? ['--natmode'] : []),
        // Control and data connections must be encrypted. It does not ask for resumption.
        ...(pair === null ? [] : ['--tls', '3', '--certfile', pair]),
      ],
    }
  })
}
