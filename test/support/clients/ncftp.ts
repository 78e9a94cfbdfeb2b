import { runProgram } from '../programs.ts'
import { account } from '../servers/server.ts'
import { type ClientTask, clientRun, clientTree, type FtpClient, type Step } from './client.ts'

export const ncftp: FtpClient = {
  name: 'ncftp',
  cannotUse: ({ mode, family }) => {
    if (family === 'ipv6') return 'has no IPv6'
    return mode === 'EPSV' || mode === 'EPRT' ? `has no ${mode}` : null
  },
  cannotDo: () => null,
  cannotSecure: () => 'has no TLS',
  run: async (task) => {
    const tree = await clientTree()
    const ran = await runProgram([tree.program('usr/bin/ncftp3')], {
      place: task.place,
      cwd: task.folder,
      env: { ...tree.env, HOME: task.folder, TERM: 'dumb' },
      input: ncftpScript(task),
      timeoutMs: task.timeoutMs ?? 60_000,
    })
    const listing = /Remote listing contents \{([^}]*)\}/.exec(ran.stdout)?.[1] ?? ''
    return { ...(await clientRun(task, ran, /^Cmd: (.*)$/gm)), listing }
  },
  version: async () => (await clientTree()).versions.ncftp ?? '',
}

function ncftpScript({ server, mode, steps }: ClientTask): string {
  return `debug 1
set passive ${mode === 'PASV' ? 'on' : 'off'}
open -u ${account.user} -p ${account.password} -P ${server.port} ${server.address}
${steps.map(ncftpCommand).join('\n')}
quit
`
}

/** It resumes by itself where the local or remote file holds the beginning. */
function ncftpCommand(step: Step): string {
  switch (step.kind) {
    case 'download':
    case 'resumeDownload':
      return `get -z ${step.remote} ${step.local}`
    case 'upload':
    case 'resumeUpload':
      return `put -z ${step.local} ${step.remote}`
    case 'list':
      return `ls -l ${step.remote}`
  }
}
