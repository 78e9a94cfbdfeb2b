// iproute2's `ip`, run without a shell, for the commands of an administrator; the running process never calls it.

import { type ExecFileException, execFile } from 'node:child_process'
import { AlgError } from '../errors.ts'

/** What `ip -json` prints for one rule, route or link, as far as it is looked at. */
export interface IpEntry {
  readonly table?: unknown
  readonly fwmark?: unknown
  readonly dst?: unknown
  readonly dev?: unknown
  readonly ifname?: unknown
}

/** Runs a command of `ip -json` that lists something. */
export async function askIp(args: readonly string[]): Promise<readonly IpEntry[]> {
  const text = await runIp(args)
  const entries: unknown = text.trim() === '' ? [] : JSON.parse(text)
  return Array.isArray(entries) ? entries.filter((entry) => typeof entry === 'object' && entry !== null) : []
}

/** Errors: KERNEL_FEATURE_MISSING without iproute2, PRIVILEGE_MISSING, RUNTIME_FAILED with what `ip` said. */
export function runIp(args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile('ip', args, { encoding: 'utf8', timeout: 10_000 }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout)
      else reject(ipFailed(args, error, stderr))
    })
  })
}

function ipFailed(args: readonly string[], error: ExecFileException, stderr: string): AlgError {
  const command = `ip ${args.join(' ')}`
  if (error.code === 'ENOENT') {
    const message = `${command}: the program ip is not installed (Debian, Ubuntu, Alpine: iproute2; Fedora: iproute)`
    return new AlgError('KERNEL_FEATURE_MISSING', message, { context: { command }, cause: error })
  }
  const said = stderr.trim() || error.message
  const code = said.includes('Operation not permitted') ? 'PRIVILEGE_MISSING' : 'RUNTIME_FAILED'
  return new AlgError(code, `${command}: ${said}`, { context: { command }, cause: error })
}
