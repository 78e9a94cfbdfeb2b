// Debian as a folder that stands for `/`, in a tar file: made once by mmdebstrap and kept beside the extracted packages.

import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import { cacheFolder, type DebianTree, debianTree } from './debian.ts'
import { holdLock } from './lock.ts'
import { runOrThrow } from './programs.ts'

/** buildah, mmdebstrap and their settings. */
export function imageTools(): Promise<DebianTree> {
  return debianTree([
    ...['buildah', 'mmdebstrap', 'golang-github-containers-common', 'golang-github-containers-image'],
  ])
}

/** What a program needs, and no Node.js. */
export function debianRootArchive(): Promise<string> {
  return archiveWith(['ca-certificates', 'libstdc++6', 'systemd-standalone-sysusers'])
}

/** A machine that boots: systemd, podman with a network for its containers, and what an administrator has at hand. */
export function debianMachineArchive(): Promise<string> {
  return archiveWith([
    ...['systemd', 'systemd-sysv', 'dbus', 'ca-certificates', 'libstdc++6', 'procps', 'iproute2', 'nftables'],
    ...['libnftables1', 'podman', 'crun', 'netavark', 'aardvark-dns', 'iptables', 'curl', 'rpm'],
  ])
}

/** The C and C++ libraries of another architecture, unpacked only. */
export function debianLibraries(architecture: string): Promise<string> {
  const options = [`--architectures=${architecture}`, '--variant=extract', '--skip=check/qemu']
  return archiveWith(['libc6', 'libstdc++6', 'libgcc-s1'], options)
}

async function archiveWith(
  include: readonly string[],
  options: readonly string[] = ['--variant=minbase'],
): Promise<string> {
  const tree = await imageTools()
  const release = /^VERSION_CODENAME=(\w+)$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? ''
  const key = createHash('sha256')
    .update([release, process.arch, ...options, ...include].join(' '))
    .digest('hex')
  const archive = join(cacheFolder(), `debian-root-${key.slice(0, 16)}.tar`)
  if (existsSync(archive)) return archive
  const unlock = await holdLock(`${archive}.lock`)
  try {
    if (existsSync(archive)) return archive
    const building = `${archive}.building`
    const argv = [tree.program('usr/bin/mmdebstrap'), ...options, `--include=${include.join(',')}`]
    const run = { env: tree.env, timeoutMs: 600_000 }
    await runOrThrow([...argv, '--dpkgopt=force-unsafe-io', '--format=tar', release, building], run)
    await rename(building, archive)
    return archive
  } finally {
    await unlock()
  }
}
