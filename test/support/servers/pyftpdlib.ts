import { join } from 'node:path'
import { account, type FtpServer, launchServer, type ServerOptions } from './server.ts'

/** pyftpdlib, by a short Python program beside this file. It never connects from port 20. */
export function startPyftpdlib(options: ServerOptions): Promise<FtpServer> {
  return launchServer('pyftpdlib', options, async ({ home, tree }) => ({
    argv: ['/usr/bin/python3', new URL('pyftpdlib-server.py', import.meta.url).pathname],
    env: {
      PYTHONPATH: join(tree.root, 'usr/lib/python3/dist-packages'),
      PYTHONDONTWRITEBYTECODE: '1',
      PYTHONWARNINGS: 'ignore',
      FTP_SERVER: JSON.stringify({
        address: options.address,
        port: options.port,
        first: options.passivePorts.first,
        last: options.passivePorts.last,
        modes: options.modes ?? 'both',
        user: account.user,
        password: account.password,
        home,
      }),
    },
  }))
}
