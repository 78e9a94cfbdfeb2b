// One basic-ftp session, told what to do by JSON on standard input; prints the dialogue.

import { readFile, stat, writeFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import { Client, enterPassiveModeIPv4, enterPassiveModeIPv6 } from 'basic-ftp'

const { server, mode, tls, steps, account } = JSON.parse(await text(process.stdin))
const client = new Client(20_000)
client.ftp.verbose = true
client.prepareTransfer = mode === 'PASV' ? enterPassiveModeIPv4 : enterPassiveModeIPv6
try {
  const secure = tls === undefined ? false : tls.how === 'implicit' ? 'implicit' : true
  const secureOptions = secure === false ? {} : { ca: await readFile(tls.ca, 'utf8') }
  await client.access({ host: server.address, port: server.port, ...account, secure, secureOptions })
  for (const { kind, remote, local } of steps) {
    if (kind === 'download') await client.downloadTo(local, remote)
    else if (kind === 'resumeDownload') await client.downloadTo(local, remote, (await stat(local)).size)
    else if (kind === 'upload') await client.uploadFrom(local, remote)
    else if (kind === 'resumeUpload') {
      await client.appendFrom(local, remote, { localStart: await client.size(remote) })
    } else if (kind === 'list') {
      const files = await client.list(remote)
      await writeFile('listing.txt', files.map((file) => `${file.size} ${file.name}\n`).join(''))
    }
  }
} finally {
  client.close()
}
