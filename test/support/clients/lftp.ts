import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { runProgram } from '../programs.ts'
import { account } from '../servers/server.ts'
import {
  type ClientTask,
  clientRun,
  clientTree,
  type FtpClient,
  listingFile,
  onlyExtendedOnIpv6,
  type Step,
} from './client.ts'

export const lftp: FtpClient = {
  name: 'lftp',
  cannotUse: ({ mode, family }) =>
    mode === 'EPRT' && family === 'ipv4' ? 'uses EPRT on IPv6 only' : onlyExtendedOnIpv6({ mode, family }),
  cannotDo: () => null,
  cannotSecure: () => null,
  run: async (task) => {
    const tree = await clientTree()
    await writeFile(join(task.folder, 'script.lftp'), lftpScript(task))
    const ran = await runProgram([tree.program('usr/bin/lftp'), '-f', 'script.lftp'], {
      place: task.place,
      cwd: task.folder,
      env: { ...tree.env, HOME: task.folder },
      timeoutMs: task.timeoutMs ?? 60_000,
    })
    return clientRun(task, ran, /^---> (.*)$/gm)
  },
  version: async () => (await clientTree()).versions.lftp ?? '',
}

/** The lines that set a session up; used for interactive sessions too. */
export function lftpOpening({ server, mode, tls }: Pick<ClientTask, 'server' | 'mode' | 'tls'>): string {
  const security =
    tls === undefined
      ? 'set ftp:ssl-allow no'
      : `set ftp:ssl-force yes\nset ftp:ssl-protect-data yes\nset ssl:ca-file ${tls.ca}`
  return `
set cmd:fail-exit yes
set net:max-retries 1
set net:timeout 20
${security}
set ftp:fix-pasv-address no
set ftp:passive-mode ${mode === 'PASV' || mode === 'EPSV' ? 'yes' : 'no'}
set ftp:prefer-epsv ${mode === 'EPSV' ? 'yes' : 'no'}
set xfer:clobber yes
debug 9
open -u ${account.user},${account.password} -p ${server.port} ${tls?.how === 'implicit' ? 'ftps://' : ''}${server.address}
`
}

function lftpScript(task: ClientTask): string {
  return `${lftpOpening(task)}${task.steps.map(lftpCommand).join('\n')}\nexit\n`
}

function lftpCommand(step: Step): string {
  switch (step.kind) {
    case 'download':
      return `get ${step.remote} -o ${step.local}`
    case 'upload':
      return `put ${step.local} -o ${step.remote}`
    case 'list':
      return `ls ${step.remote} > ${listingFile}`
    case 'resumeDownload':
      return `get -c ${step.remote} -o ${step.local}`
    case 'resumeUpload':
      return `put -c ${step.local} -o ${step.remote}`
  }
}
