// promtool: the installed one, else Debian's, extracted into the test cache.

import { existsSync } from 'node:fs'
import { debianTree } from './debian.ts'
import { type Ran, runProgram } from './programs.ts'

export type Promtool = (
  args: readonly string[],
  options?: { readonly input?: string; readonly cwd?: string },
) => Promise<Ran>

const installed = '/usr/bin/promtool'

/** Why there is no promtool here, said once, or null. With `CI=true` a skip is a failure: it throws. */
export function promtoolMissing(): string | null {
  if (existsSync(installed)) return null
  const isDebian = process.platform === 'linux' && existsSync('/etc/debian_version')
  if (isDebian && process.getuid?.() === 0) return null
  const line = `promtool is skipped: it needs ${isDebian ? 'root to fetch it' : 'Debian to fetch it from'}, or ${installed}`
  if (process.env.CI === 'true') throw new Error(`${line}; with CI=true nothing may be skipped`)
  console.warn(line)
  return line
}

export async function openPromtool(): Promise<Promtool> {
  if (existsSync(installed))
    return (args, options) => runProgram([installed, ...args], { ...options, timeoutMs: 180_000 })
  const tree = await debianTree(['prometheus'])
  const program = tree.program('usr/bin/promtool')
  return (args, options) => runProgram([program, ...args], { ...options, env: tree.env, timeoutMs: 180_000 })
}
