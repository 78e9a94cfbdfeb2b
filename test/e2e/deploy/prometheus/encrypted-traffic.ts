// TLS that works, TLS that fails, a file that is cut off, and a server that has none.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { issueCertificate } from '../../../support/certificates.ts'
import type { Network } from '../../../support/netns.ts'
import { account } from '../../../support/servers/server.ts'

export const tlsPort = 2126
export const optionalPort = 2127

/** The listeners that `driveEncrypted` talks to, as lines of a configuration. */
export const encryptedListeners = (folder: string) => `
  - name: encrypted
    listen: '0.0.0.0:${tlsPort}'
    upstream: '10.77.2.10:21'
    tls: { mode: required, certificates: [{ certificate: ${folder}/edge.crt, key: ${folder}/edge.key }] }
  - { name: opportune, listen: '0.0.0.0:${optionalPort}', upstream: '10.77.2.10:21', upstreamTls: { mode: optional } }
`

export async function writeCertificate(folder: string): Promise<void> {
  const { certificate, key } = issueCertificate({ name: 'edge' })
  await writeFile(join(folder, 'edge.crt'), certificate)
  await writeFile(join(folder, 'edge.key'), key, { mode: 0o600 })
}

/** From now on the file is refused, and the certificate from before is used. */
export function breakCertificate(folder: string): Promise<void> {
  return writeFile(join(folder, 'edge.crt'), 'not a certificate\n')
}

/** An upload whose data connection ends with FIN and without close_notify, as when somebody cuts it. */
const cutUpload = `
import ftplib, socket, ssl, sys
host, port, user, password = sys.argv[1:]
session = ftplib.FTP_TLS(context=ssl._create_unverified_context(), timeout=20)
session.connect(host, int(port))
session.login(user, password)
session.prot_p()
session.cwd('files')
data = session.transfercmd('STOR cut.bin')
data.sendall(b'x' * 1000)
data.shutdown(socket.SHUT_WR)
try:
    session.voidresp()
except ftplib.all_errors:
    pass
`

export async function driveEncrypted(network: Network, address: string): Promise<void> {
  const client = network.host('client')
  const user = ['--user', `${account.user}:${account.password}`]
  const curl = (port: number, options: readonly string[]) =>
    client.run([
      'curl',
      '-sS',
      '-m',
      '20',
      '--noproxy',
      '*',
      ...user,
      ...options,
      `ftp://${address}:${port}/files/`,
    ])
  await curl(tlsPort, ['--ssl-reqd', '--insecure'])
  // Nobody vouches for this certificate: the client says so and leaves.
  await curl(tlsPort, ['--ssl-reqd'])
  await client.run([
    '/usr/bin/python3',
    '-c',
    cutUpload,
    address,
    String(tlsPort),
    account.user,
    account.password,
  ])
  await curl(optionalPort, [])
}
