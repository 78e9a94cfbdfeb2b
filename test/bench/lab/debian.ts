// Peers come from Debian packages: from the system when they are installed, else fetched once with apt-get and unpacked
// (not installed) into a cache outside the repository.

import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { tryCommand } from './command.ts'

export interface Program {
  /** Where the package's tree begins: empty for installed ones, else a directory in the cache. */
  readonly root: string
  readonly path: string
  /** What the loader needs to find unpacked libraries. */
  readonly environment: Readonly<Record<string, string>>
}

export type Provision =
  | { readonly ok: true; readonly program: Program }
  | { readonly ok: false; readonly reason: string }

/**
 * `{ packages: ['haproxy'], path: '/usr/sbin/haproxy' }` gives the installed program or an unpacked one.
 * `files`, when given, must exist as well.
 */
export async function provide(wanted: {
  readonly packages: readonly string[]
  readonly path: string
  readonly files?: readonly string[]
}): Promise<Provision> {
  const { packages, path, files = [] } = wanted
  if ([path, ...files].every((file) => existsSync(file)))
    return { ok: true, program: { root: '', path, environment: {} } }
  const root = join(cacheDirectory(), packages.join('+'))
  if (!existsSync(root)) {
    const problem = await unpack(packages, root)
    if (problem !== null) {
      return { ok: false, reason: `${problem}; install it with: apt-get install ${packages.join(' ')}` }
    }
  }
  const missing = [path, ...files].find((file) => !existsSync(join(root, file)))
  if (missing !== undefined)
    return { ok: false, reason: `${missing} is not in ${packages.join(', ')} (cache: ${root})` }
  const libraries = libraryDirectories(root)
  const environment = libraries.length === 0 ? {} : { LD_LIBRARY_PATH: libraries.join(':') }
  return { ok: true, program: { root, path: join(root, path), environment } }
}

export function cacheDirectory(): string {
  return join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'ftp-alg-bench')
}

/** Fetches the packages and whatever of their dependencies is not installed. Null when all went well. */
async function unpack(packages: readonly string[], root: string): Promise<string | null> {
  const plan = await tryCommand('apt-get', ['install', '--simulate', '--no-install-recommends', ...packages])
  if (!plan.ok) return `apt-get cannot plan ${packages.join(' ')}: ${firstLineOf(plan.problem)}`
  const names = [...plan.stdout.matchAll(/^Inst (\S+)/gm)].map((match) => match[1] ?? '')
  const partial = `${root}.partial`
  rmSync(partial, { recursive: true, force: true })
  mkdirSync(partial, { recursive: true })
  process.stderr.write(`fetching ${names.join(', ')} into ${root}\n`)
  const script =
    'cd "$0" && apt-get download -q "$@" >&2 && for deb in *.deb; do dpkg -x "$deb" . || exit 1; done'
  const fetched = await tryCommand('/bin/sh', ['-c', script, partial, ...names], 120_000)
  if (!fetched.ok) return `apt-get cannot download ${names.join(' ')}: ${firstLineOf(fetched.problem)}`
  for (const name of readdirSync(partial)) if (name.endsWith('.deb')) rmSync(join(partial, name))
  renameSync(partial, root)
  return null
}

function libraryDirectories(root: string): string[] {
  const found: string[] = []
  for (const base of ['lib', 'usr/lib']) {
    const directory = join(root, base)
    if (!existsSync(directory)) continue
    for (const name of readdirSync(directory)) {
      const below = join(directory, name)
      if (name.endsWith('-linux-gnu') || name.startsWith('lib'))
        found.push(name.endsWith('-linux-gnu') ? below : directory)
    }
  }
  return [...new Set(found)]
}

function firstLineOf(text: string): string {
  return text.split('\n')[0] ?? ''
}

/** `{ program: haproxy, args: ['-v'], pattern: /version (\S+?)-/ }` gives `2.6.12`; empty when it does not say. */
export async function versionOf(program: Program, args: readonly string[], pattern: RegExp): Promise<string> {
  const script = 'LD_LIBRARY_PATH="$0" exec "$@" 2>&1'
  const libraries = program.environment.LD_LIBRARY_PATH ?? ''
  const { stdout } = await tryCommand('/bin/sh', ['-c', script, libraries, program.path, ...args])
  return pattern.exec(stdout)?.[1] ?? ''
}
