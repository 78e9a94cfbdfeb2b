import { basename, dirname } from 'node:path'
import { type Ran, runOrThrow, runProgram } from '../programs.ts'
import { account } from '../servers/server.ts'
import {
  type ClientTask,
  clientRun,
  type FtpClient,
  listingFile,
  modesByFamily,
  type Step,
  urlHost,
} from './client.ts'

/** wget opens a session for every URL. */
export const wget: FtpClient = {
  name: 'wget',
  cannotUse: modesByFamily,
  cannotDo: (kind) => (kind === 'upload' || kind === 'resumeUpload' ? 'only downloads' : null),
  cannotSecure: () => null,
  run: async (task) => {
    const rans: Ran[] = []
    for (const step of task.steps) {
      const argv = [
        'wget',
        '--debug',
        '--tries=1',
        '--timeout=20',
        '--no-proxy',
        ...transferArguments(task, step),
      ]
      const env = { HOME: task.folder, LC_ALL: 'C' }
      const ran = await runProgram(argv, {
        place: task.place,
        cwd: task.folder,
        env,
        timeoutMs: task.timeoutMs ?? 60_000,
      })
      rans.push(ran)
      if (ran.exitCode !== 0) break
    }
    const last = rans.at(-1)
    if (last === undefined) throw new Error('wget was given no step')
    const whole = { ...last, stdout: '', stderr: rans.map((ran) => ran.stderr).join('\n') }
    return clientRun(task, whole, /^--> (.*)$/gm)
  },
  version: async () => /^GNU Wget (\S+)/.exec(await runOrThrow(['wget', '--version']))?.[1] ?? '',
}

function transferArguments({ server, mode, tls }: ClientTask, step: Step): string[] {
  const url = `${tls === undefined ? 'ftp' : 'ftps'}://${urlHost(server.address)}:${server.port}/${step.remote}`
  const shared = [
    `--ftp-user=${account.user}`,
    `--ftp-password=${account.password}`,
    mode === 'PASV' || mode === 'EPSV' ? '--passive-ftp' : '--no-passive-ftp',
    // It would look for tickets for 50 ms behind the handshake, and then resume or not as it happens.
    ...(tls === undefined ? [] : [`--ca-certificate=${tls.ca}`, '--no-ftps-resume-ssl']),
    ...(tls?.how === 'implicit' ? ['--ftps-implicit'] : []),
  ]
  switch (step.kind) {
    case 'download':
      return [...shared, `--output-document=${step.local}`, url]
    case 'list':
      return [...shared, `--output-document=${listingFile}`, `${url}/`]
    case 'resumeDownload':
      // It resumes into a file of the remote file's name only.
      if (basename(step.local) !== basename(step.remote))
        throw new Error(`wget cannot resume into ${step.local}`)
      return [...shared, '--continue', `--directory-prefix=${dirname(step.local)}`, url]
    case 'upload':
    case 'resumeUpload':
      throw new Error('wget cannot upload')
  }
}
