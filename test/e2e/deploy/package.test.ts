// The package that `npm pack` makes of a checkout that nobody has built, used as systemd's unit wants it installed.

import { cp, mkdtemp, readFile, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runOrThrow } from '../../support/programs.ts'

const checkout = new URL('../../../', import.meta.url).pathname
const built = [
  'package.json',
  'tsconfig.json',
  'README.md',
  'LICENSE',
  'CHANGELOG.md',
  'src',
  'deploy',
  'docs',
  'grafana',
]

describe('the package of npm', () => {
  let folder: string

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ftp-alg-package-'))
    const source = join(folder, 'source')
    for (const name of built) await cp(join(checkout, name), join(source, name), { recursive: true })
    await symlink(join(checkout, 'node_modules'), join(source, 'node_modules'))
    await runOrThrow(['npm', 'pack', '--offline', '--pack-destination', folder], {
      cwd: source,
      timeoutMs: 120_000,
    })
    await runOrThrow(['sh', '-c', `tar -xzf ${join(folder, '*.tgz')} -C ${folder}`])
    await symlink(join(checkout, 'node_modules'), join(folder, 'package/node_modules'))
  })

  afterAll(() => rm(folder, { recursive: true, force: true }))

  it('has the program that package.json names, and it runs', async () => {
    const manifest = JSON.parse(await readFile(join(folder, 'package/package.json'), 'utf8'))
    const program = join(folder, 'package', manifest.bin['ftp-alg'])
    expect((await runOrThrow([process.execPath, program, '--version'])).trim()).toBe(manifest.version)
  })

  it('has what an operator installs beside it', async () => {
    for (const name of ['deploy/systemd/ftp-alg.service', 'grafana/prometheus/alerts.yml', 'LICENSE']) {
      expect((await readFile(join(folder, 'package', name), 'utf8')).length, name).toBeGreaterThan(0)
    }
  })
})
