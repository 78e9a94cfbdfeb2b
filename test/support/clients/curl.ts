import { runOrThrow, runProgram } from '../programs.ts'
import { account } from '../servers/server.ts'
import {
  type ClientTask,
  clientRun,
  type DataMode,
  type FtpClient,
  listingFile,
  onlyExtendedOnIpv6,
  type Step,
  urlHost,
} from './client.ts'

const modeArguments: Readonly<Record<DataMode, readonly string[]>> = {
  PASV: ['--ftp-pasv', '--disable-epsv'],
  EPSV: ['--ftp-pasv'],
  PORT: ['--ftp-port', '-', '--disable-eprt'],
  EPRT: ['--ftp-port', '-'],
}

/** curl keeps its control connection between the URLs of one command line. */
export const curl: FtpClient = {
  name: 'curl',
  cannotUse: onlyExtendedOnIpv6,
  cannotDo: () => null,
  cannotSecure: () => null,
  run: async (task) => {
    const argv = ['curl', '--silent', '--show-error', '--verbose', '--fail-early']
    for (const [index, step] of task.steps.entries()) {
      if (index > 0) argv.push('--next')
      argv.push(...transferArguments(task, step))
    }
    const ran = await runProgram(argv, {
      place: task.place,
      cwd: task.folder,
      timeoutMs: task.timeoutMs ?? 60_000,
    })
    return clientRun(task, ran, /^> (.*)$/gm)
  },
  version: async () => /^curl (\S+)/.exec(await runOrThrow(['curl', '--version']))?.[1] ?? '',
}

function transferArguments(task: ClientTask, step: Step): string[] {
  const { tls } = task
  const url = `${tls?.how === 'implicit' ? 'ftps' : 'ftp'}://${urlHost(task.server.address)}:${task.server.port}/${step.remote}`
  const shared = [
    '--user',
    `${account.user}:${account.password}`,
    '--noproxy',
    '*',
    // Otherwise curl connects to the control address, whatever address the 227 carries.
    '--no-ftp-skip-pasv-ip',
    ...modeArguments[task.mode],
    ...(tls === undefined ? [] : ['--ssl-reqd', '--cacert', tls.ca]),
  ]
  switch (step.kind) {
    case 'download':
      return [...shared, '--output', step.local, url]
    case 'upload':
      return [...shared, '--upload-file', step.local, url]
    case 'list':
      return [...shared, '--output', listingFile, `${url}/`]
    case 'resumeDownload':
      return [...shared, '--continue-at', '-', '--output', step.local, url]
    case 'resumeUpload':
      return [...shared, '--continue-at', '-', '--upload-file', step.local, url]
  }
}
