// Another Node than the one that runs the benchmark, from npm, in the cache.

import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { tryCommand } from './command.ts'
import { cacheDirectory } from './debian.ts'

export type NodeProvision =
  | { readonly ok: true; readonly path: string; readonly version: string }
  | { readonly ok: false; readonly reason: string }

/** `provideNode(24)` gives the newest Node 24, fetched once. */
export async function provideNode(major: number): Promise<NodeProvision> {
  const arch = { x64: 'x64', arm64: 'arm64' }[process.arch as string]
  if (process.platform !== 'linux' || arch === undefined)
    return {
      ok: false,
      reason: `there is no package of Node ${major} for ${process.platform} ${process.arch}`,
    }
  const name = `node-linux-${arch}`
  const folder = join(cacheDirectory(), `node-${major}`)
  const path = join(folder, 'node_modules', name, 'bin', 'node')
  if (!existsSync(path)) {
    mkdirSync(folder, { recursive: true })
    const args = ['install', '--prefix', folder, '--no-save', '--no-audit', '--no-fund', `${name}@${major}`]
    const { ok, problem } = await tryCommand('npm', args, 120_000)
    if (!ok) return { ok, reason: `npm ${args.join(' ')}: ${problem.split('\n')[0]}` }
  }
  const { ok, stdout, problem } = await tryCommand(path, ['--version'])
  return ok ? { ok, path, version: stdout.trim().slice(1) } : { ok, reason: `${path}: ${problem}` }
}
