// Libraries without a program of their own: a short script beside this file takes the task as JSON.

import { createRequire } from 'node:module'
import { runOrThrow, runProgram } from '../programs.ts'
import { account } from '../servers/server.ts'
import { type ClientRun, type ClientTask, clientRun, type FtpClient, modesByFamily } from './client.ts'

const python = '/usr/bin/python3'

export const ftplib: FtpClient = {
  name: 'ftplib',
  cannotUse: modesByFamily,
  cannotDo: () => null,
  cannotSecure: (how) => (how === 'implicit' ? 'has no implicit TLS' : null),
  run: (task) => runScript([python, scriptPath('ftplib-session.py')], task, /^\*cmd\* '(.*)'$/gm),
  version: async () => /^Python (\S+)/.exec(await runOrThrow([python, '--version']))?.[1] ?? '',
}

export const basicFtp: FtpClient = {
  name: 'basic-ftp',
  cannotUse: ({ mode, family }) => {
    if (mode === 'PORT' || mode === 'EPRT') return 'has no active mode'
    return mode === 'PASV' && family === 'ipv6' ? 'no PASV on IPv6 (nor in its RFC)' : null
  },
  cannotDo: () => null,
  cannotSecure: () => null,
  run: (task) => runScript([process.execPath, scriptPath('basic-ftp-session.mjs')], task, /^> (.*)$/gm),
  version: async () => {
    const { version }: { version: string } = createRequire(import.meta.url)('basic-ftp/package.json')
    return version
  },
}

async function runScript(argv: readonly string[], task: ClientTask, command: RegExp): Promise<ClientRun> {
  const { place, folder, server, mode, tls, steps } = task
  const ran = await runProgram(argv, {
    place,
    cwd: folder,
    input: JSON.stringify({
      server,
      mode,
      tls,
      steps,
      account: { user: account.user, password: account.password },
    }),
    timeoutMs: task.timeoutMs ?? 60_000,
  })
  return clientRun(task, ran, command)
}

function scriptPath(name: string): string {
  return new URL(name, import.meta.url).pathname
}
