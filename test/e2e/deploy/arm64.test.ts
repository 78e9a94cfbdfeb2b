// The packages' files for arm64, which no machine of ours runs: under qemu's emulation of programs, with Debian's libraries for arm64.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cacheFolder, debianRootMissing, debianTree } from '../../support/debian.ts'
import { debianLibraries } from '../../support/debian-root.ts'
import { registryMissing } from '../../support/images.ts'
import { runOrThrow, runProgram } from '../../support/programs.ts'

const script = new URL('../../../deploy/packages/tree', import.meta.url).pathname
const missing = debianRootMissing('arm64') ?? (await registryMissing('arm64'))

describe.skipIf(missing !== null)('the files for arm64', { timeout: 300_000 }, () => {
  let folder: string
  /** Node.js, in the folder of the package. */
  let node: readonly string[]

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ftp-alg-arm64-'))
    const env = { PACKAGE_CACHE: join(cacheFolder(), 'packages') }
    const [qemu, libraries] = await Promise.all([
      debianTree(['qemu-user-static']),
      debianLibraries('arm64'),
      runOrThrow([script, 'arm64', folder], { env, timeoutMs: 300_000 }),
    ])
    await runOrThrow(['tar', '-xf', libraries, '-C', folder, '--exclude=./dev/*'])
    node = [
      qemu.program('usr/bin/qemu-aarch64-static'),
      '-L',
      folder,
      join(folder, 'usr/lib/ftp-alg/bin/node'),
    ]
  }, 600_000)

  afterAll(() => rm(folder, { recursive: true, force: true }))

  it('carry the transfers of the demo', async () => {
    const demo = await inPackage(['dist/main.js', 'demo'])
    expect(demo, demo.stderr).toMatchObject({ exitCode: 0 })
    expect(demo.stdout.match(/262144 bytes up, 262144 bytes down: identical/g)?.length).toBeGreaterThan(3)
  })

  it('have koffi, which TLS, interception and epoll need', async () => {
    const load = "const { default: koffi } = await import('koffi'); console.log(koffi.sizeof('void *'))"
    const loaded = await inPackage(['--input-type=module', '--eval', load])
    expect(loaded.stdout, loaded.stderr).toBe('8\n')
  })

  function inPackage(args: readonly string[]) {
    return runProgram([...node, ...args], { cwd: join(folder, 'usr/lib/ftp-alg'), timeoutMs: 120_000 })
  }
})
