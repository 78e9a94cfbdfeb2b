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

export const tnftp: FtpClient = {
  name: 'tnftp',
  cannotUse: onlyExtendedOnIpv6,
  cannotDo: () => null,
  cannotSecure: () => 'has no TLS for FTP',
  run: async (task) => {
    const tree = await clientTree()
    const ran = await runProgram([tree.program('usr/bin/tnftp'), '-n'], {
      place: task.place,
      cwd: task.folder,
      env: { ...tree.env, HOME: task.folder },
      input: `${tnftpOpening(task)}${task.steps.map(tnftpCommand).join('\n')}\nquit\n`,
      timeoutMs: task.timeoutMs ?? 60_000,
    })
    return clientRun(task, ran, /^---> (.*)$/gm)
  },
  version: async () => (await clientTree()).versions.tnftp ?? '',
}

/** The lines that set a session up; used for interactive sessions too. */
export function tnftpOpening({ server, mode }: Pick<ClientTask, 'server' | 'mode'>): string {
  const passive = mode === 'PASV' || mode === 'EPSV'
  const extended = mode === 'EPSV' || mode === 'EPRT'
  return `debug
verbose on
progress off
prompt off
passive ${passive ? 'on' : 'off'}
epsv4 ${extended ? 'on' : 'off'}
open ${server.address} ${server.port}
user ${account.user} ${account.password}
binary
`
}

function tnftpCommand(step: Step): string {
  switch (step.kind) {
    case 'download':
      return `get ${step.remote} ${step.local}`
    case 'upload':
      return `put ${step.local} ${step.remote}`
    case 'list':
      return `dir ${step.remote} ${listingFile}`
    case 'resumeDownload':
      return `reget ${step.remote} ${step.local}`
    case 'resumeUpload':
      return `restart ${step.offset}\nput ${step.local} ${step.remote}`
  }
}
