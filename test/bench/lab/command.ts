import { execFile } from 'node:child_process'

export interface CommandOutcome {
  readonly ok: boolean
  readonly stdout: string
  /** Standard error, or why the program did not run at all. */
  readonly problem: string
}

/** Runs a program to its end, without a shell; never rejects. */
export function tryCommand(
  program: string,
  args: readonly string[],
  timeoutMs = 20_000,
): Promise<CommandOutcome> {
  return new Promise((resolve) => {
    execFile(program, args, { timeout: timeoutMs, maxBuffer: 1 << 24 }, (error, stdout, stderr) => {
      resolve({ ok: error === null, stdout, problem: stderr.trim() || (error?.message ?? '') })
    })
  })
}

/** Runs a program to its end and gives its standard output; rejects with the command line and what it said. */
export async function command(program: string, ...args: readonly string[]): Promise<string> {
  const { ok, stdout, problem } = await tryCommand(program, args)
  if (!ok) throw new Error(`${program} ${args.join(' ')}: ${problem}`)
  return stdout
}
