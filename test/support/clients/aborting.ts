// A user who changes their mind: a download of 50 MiB is aborted while it runs, then another file is fetched, by
// tnftp and ftplib in the same session. tnftp and lftp run in a terminal of their own and get Ctrl-C.

import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type RunningProgram, runProgram, startProgram } from '../programs.ts'
import { account } from '../servers/server.ts'
import { type ClientTask, clientTree } from './client.ts'
import { lftpOpening } from './lftp.ts'
import { tnftpOpening } from './tnftp.ts'

export interface AbortTask extends Omit<ClientTask, 'steps'> {
  /** Aborted once a part of it has arrived. */
  readonly large: { readonly remote: string; readonly local: string }
  readonly small: { readonly remote: string; readonly local: string }
}

/** Gives everything the client printed; throws when it does not come to its end. */
export type Aborter = (task: AbortTask) => Promise<string>

export const aborters: Readonly<Record<'tnftp' | 'lftp' | 'ftplib', Aborter>> = {
  tnftp: (task) =>
    inTerminal(task, { program: 'usr/bin/tnftp', flags: ' -n' }, async (terminal) => {
      terminal.write(tnftpOpening(task))
      terminal.write(`get ${task.large.remote} ${task.large.local}\n`)
      await partArrived(task, terminal)
      terminal.write(controlC)
      await terminal.waitForOutput(/receive aborted[\s\S]*ftp> $/, { what: 'the prompt after Ctrl-C' })
      terminal.write(`get ${task.small.remote} ${task.small.local}\nquit\n`)
    }),
  lftp: (task) =>
    inTerminal(task, { program: 'usr/bin/lftp', flags: '' }, async (terminal) => {
      terminal.write(`${lftpOpening(task)}set cmd:fail-exit no\nset net:reconnect-interval-base 1\n`)
      terminal.write(`get ${task.large.remote} -o ${task.large.local}\n`)
      await partArrived(task, terminal)
      terminal.write(controlC)
      await terminal.waitForOutput(/---> ABOR/)
      // At the prompt lftp 4.9.2 does not always read the reply to ABOR, and then miscounts replies and connects
      // anew (directly with a server too): it is given time to read it, and need not keep its session.
      await terminal.waitForOutput(lftpHasAborted, { timeoutMs: 1500 }).catch(() => undefined)
      terminal.write(`get ${task.small.remote} -o ${task.small.local}\nexit\n`)
    }),
  ftplib: async ({ place, folder, server, mode, large, small }) => {
    const script = new URL('ftplib-abort.py', import.meta.url).pathname
    const input = JSON.stringify({
      server,
      mode,
      large,
      small,
      account: { user: account.user, password: account.password },
    })
    const ran = await runProgram(['/usr/bin/python3', script], { place, cwd: folder, input })
    if (ran.exitCode !== 0) throw new Error(`ftplib ended with ${ran.exitCode}\n${ran.stdout}${ran.stderr}`)
    return ran.stdout
  },
}

function lftpHasAborted(output: string): boolean {
  const after = output.split('---> ABOR')[1] ?? ''
  return after.includes('Closing aborted data socket') && /<--- 22[56] /.test(after)
}

const controlC = '\x03'

/** Runs a program in a terminal of its own (`script` makes one), in which Ctrl-C is a signal; gives what was shown. */
async function inTerminal(
  { place, folder }: AbortTask,
  { program, flags }: { readonly program: string; readonly flags: string },
  use: (terminal: RunningProgram) => Promise<void>,
): Promise<string> {
  const tree = await clientTree()
  const command = `${tree.program(program)}${flags}`
  const terminal = startProgram(['script', '--quiet', '--flush', '--command', command, '/dev/null'], {
    place,
    cwd: folder,
    env: { ...tree.env, HOME: folder, TERM: 'dumb' },
  })
  try {
    await use(terminal)
    await terminal.waitForExit(30_000)
    return terminal.output()
  } finally {
    await terminal.kill()
  }
}

/** Resolves when 1 MB of the large file has arrived. */
async function partArrived({ folder, large }: AbortTask, terminal: RunningProgram): Promise<void> {
  const path = join(folder, large.local)
  const deadline = performance.now() + 20_000
  while (((await stat(path).catch(() => null))?.size ?? 0) < 1_000_000) {
    if (performance.now() > deadline) {
      throw new Error(`nothing arrived in ${large.local} within 20 s\n${terminal.output()}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
