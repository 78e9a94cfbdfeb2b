import { startProftpd } from './proftpd.ts'
import { startPureFtpd } from './pure-ftpd.ts'
import { startPyftpdlib } from './pyftpdlib.ts'
import type { FtpServer, ServerKind, ServerOptions } from './server.ts'
import { startVsftpd } from './vsftpd.ts'

/** The servers in the order of every table about them. */
export const serverKinds: readonly ServerKind[] = ['vsftpd', 'proftpd', 'pure-ftpd', 'pyftpdlib']

export function startServer(kind: ServerKind, options: ServerOptions): Promise<FtpServer> {
  return starters[kind](options)
}

const starters: Readonly<Record<ServerKind, (options: ServerOptions) => Promise<FtpServer>>> = {
  vsftpd: startVsftpd,
  proftpd: startProftpd,
  'pure-ftpd': startPureFtpd,
  pyftpdlib: startPyftpdlib,
}
