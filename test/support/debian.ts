// Real FTP servers and clients, taken from Debian packages without installing them: FTP servers conflict with
// one another as packages, so each set is extracted into a cache folder and run from there.

import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { holdLock } from './lock.ts'
import { runOrThrow, runProgram } from './programs.ts'

/** An extracted set of packages. */
export interface DebianTree {
  /** The folder that stands for `/`. */
  readonly root: string
  /** What programs of the tree need in their environment to find the tree's libraries. */
  readonly env: Readonly<Record<string, string>>
  /** Upstream version by package: `{ vsftpd: '3.0.3' }`. */
  readonly versions: Readonly<Record<string, string>>
  /** The program's path inside the tree, for example of `usr/sbin/vsftpd`; throws when the tree has none. */
  program(path: string): string
}

/**
 * Extracts Debian packages, with the libraries that this machine lacks, into
 * `$FTP_ALG_TEST_CACHE`, else `$XDG_CACHE_HOME/ftp-alg-test`, else `~/.cache/ftp-alg-test`, and re-uses what an
 * earlier run or another process put there. A tree appears whole or not at all.
 */
export async function debianTree(packages: readonly string[]): Promise<DebianTree> {
  const names = [...new Set(packages)].sort()
  const release = debianRelease()
  const key = createHash('sha256')
    .update(`${release} ${process.arch} ${names.join(' ')}`)
    .digest('hex')
  const final = join(cacheFolder(), `${release}-${process.arch}-${key.slice(0, 16)}`)
  if (!existsSync(final)) {
    await mkdir(cacheFolder(), { recursive: true })
    // Several test files begin at once: one of them downloads, and apt knows no waiting for the lock of its lists.
    const release = await holdLock(join(cacheFolder(), 'lock'))
    try {
      if (!existsSync(final)) await buildInto(final, names)
    } finally {
      await release()
    }
  }
  return openTree(final)
}

async function buildInto(final: string, names: readonly string[]): Promise<void> {
  const building = await mkdtemp(`${final}.building-`)
  try {
    await buildTree(names, building)
    await rename(building, final)
  } catch (error) {
    await rm(building, { recursive: true, force: true })
    throw error
  }
}

const programsNeeded = [
  ...['apt-get', 'apt-cache', 'dpkg-deb', 'dpkg-query', 'ldd'],
  ...['ip', 'tc', 'nft', 'sysctl', 'nsenter', 'unshare', 'setpriv', 'flock', 'script', 'bash'],
  ...['curl', 'wget', '/usr/bin/python3'],
]

/**
 * Why this machine cannot run real servers in namespaces, or null when it can. The caller skips its suite with
 * it; the reason is printed once. With `CI=true` a skip is a failure: it throws.
 */
export function debianRootMissing(suite: string): string | null {
  const reason = missingHere()
  if (reason === null) return null
  const line = `${suite} is skipped: ${reason}`
  if (process.env.CI === 'true') throw new Error(`${line}; with CI=true nothing may be skipped`)
  console.warn(line)
  return line
}

function missingHere(): string | null {
  if (process.platform !== 'linux') return `it needs Linux, this is ${process.platform}`
  if (!existsSync('/etc/debian_version')) return 'it needs Debian (no /etc/debian_version here)'
  if (process.getuid?.() !== 0) return 'it needs root, for network namespaces'
  const absent = programsNeeded.filter((name) => !onPath(name))
  if (absent.length > 0) return `it needs ${absent.join(', ')}`
  const allowed = spawnSync('unshare', ['--net', '--mount', 'true']).status === 0
  return allowed ? null : 'it may not make network and mount namespaces'
}

function onPath(name: string): boolean {
  if (name.startsWith('/')) return existsSync(name)
  return (process.env.PATH ?? '').split(delimiter).some((folder) => existsSync(join(folder, name)))
}

/** Outside the repository: what was fetched outlives it. */
export function cacheFolder(): string {
  const { FTP_ALG_TEST_CACHE, XDG_CACHE_HOME } = process.env
  return FTP_ALG_TEST_CACHE ?? join(XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'ftp-alg-test')
}

/** `bookworm`. */
function debianRelease(): string {
  return /^VERSION_CODENAME=(\w+)$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'debian'
}

async function openTree(root: string): Promise<DebianTree> {
  const libraries: string[] = []
  for (const folder of ['usr/lib', 'lib']) {
    const entries = await readdir(join(root, folder)).catch(() => [])
    libraries.push(
      ...entries.filter((name) => name.endsWith('-linux-gnu')).map((name) => join(root, folder, name)),
    )
  }
  const versions: Record<string, string> = JSON.parse(readFileSync(join(root, 'versions.json'), 'utf8'))
  return {
    root,
    env: { LD_LIBRARY_PATH: libraries.join(':') },
    versions,
    program: (path) => {
      const full = join(root, path)
      if (!existsSync(full))
        throw new Error(`${path} is not in the tree of ${Object.keys(versions).join(', ')}`)
      return full
    },
  }
}

async function buildTree(names: readonly string[], root: string): Promise<void> {
  await refreshPackageLists(names)
  const libraries = await missingLibraries(names)
  const debs = join(root, 'debs')
  await mkdir(debs)
  // Downloading as the user `_apt` fails in a folder that belongs to root.
  const download = ['apt-get', '-qq', '-o', 'APT::Sandbox::User=root', 'download', ...names, ...libraries]
  const first = await runProgram(download, { cwd: debs, timeoutMs: 240_000 })
  if (first.exitCode !== 0) {
    // The lists are older than the archive: a package has been replaced since.
    await runOrThrow(['apt-get', '-qq', 'update'], { timeoutMs: 240_000 })
    await runOrThrow(download, { cwd: debs, timeoutMs: 240_000 })
  }
  const versions: Record<string, string> = {}
  for (const deb of (await readdir(debs)).sort()) {
    await runOrThrow(['dpkg-deb', '-x', join(debs, deb), root])
    const fields = await runOrThrow(['dpkg-deb', '-f', join(debs, deb), 'Package', 'Version'])
    const [, name = deb, version = ''] = /^Package: (.*)\nVersion: (.*)$/m.exec(fields) ?? []
    versions[name] = upstreamVersion(version)
  }
  await rm(debs, { recursive: true })
  await writeFile(join(root, 'versions.json'), JSON.stringify(versions))
  await refuseMissingLibraries(await openTree(root))
}

/** `2:3.2.6-1+b1` gives `3.2.6`; `1.3.8+dfsg-4+deb12u5` gives `1.3.8`. */
function upstreamVersion(version: string): string {
  return version
    .replace(/^\d+:/, '')
    .replace(/-[^-]*$/, '')
    .replace(/[+~].*$/, '')
}

async function refreshPackageLists(names: readonly string[]): Promise<void> {
  const policy = await runProgram(['apt-cache', 'policy', ...names])
  const known = policy.stdout.match(/^ {2}Candidate: (?!\(none\))/gm)?.length ?? 0
  if (known < names.length) await runOrThrow(['apt-get', '-qq', 'update'], { timeoutMs: 240_000 })
}

/** The `lib…` packages that the named ones depend on, however deeply, and that are not installed here. */
async function missingLibraries(names: readonly string[]): Promise<readonly string[]> {
  const missing = new Set<string>()
  let level = names
  while (level.length > 0) {
    const depends = await runOrThrow(['apt-cache', 'depends', '--important', ...level])
    const libraries = [...depends.matchAll(/^ [ |](?:Pre)?Depends: (lib[\w.+-]+)$/gm)].map(
      (match) => match[1] ?? '',
    )
    const absent = await notInstalled(libraries)
    level = [...absent].filter((name) => !missing.has(name))
    for (const name of level) missing.add(name)
  }
  return [...missing].sort()
}

async function notInstalled(names: readonly string[]): Promise<ReadonlySet<string>> {
  const absent = new Set(names)
  if (absent.size === 0) return absent
  // Exits 1 when a name is unknown to dpkg, which here means "not installed".
  const query = await runProgram(['dpkg-query', '-s', ...absent])
  for (const [, name = ''] of query.stdout.matchAll(/^Package: (\S+)\nStatus: install ok installed$/gm)) {
    absent.delete(name)
  }
  return absent
}

/** The dynamic linker's own word that every program of the tree finds its libraries. */
async function refuseMissingLibraries(tree: DebianTree): Promise<void> {
  for (const folder of ['usr/bin', 'usr/sbin']) {
    for (const name of await readdir(join(tree.root, folder)).catch(() => [])) {
      const program = join(tree.root, folder, name)
      const missing = (await runProgram(['ldd', program], { env: tree.env })).stdout.match(/^.*not found$/gm)
      if (missing !== null) throw new Error(`${program} lacks libraries:\n${missing.join('\n')}`)
    }
  }
}
