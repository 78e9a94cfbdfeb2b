// A wrong prototype ends the process some day: the compiler compares each with OpenSSL's own header.

import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { bindOpenssl, constants, loadOpenssl, nameOf, prototypes } from '../../../src/kernel/openssl.ts'

const folder = mkdtempSync(join(tmpdir(), 'ftp-alg-openssl-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** GCC's complaints about a file that includes the headers; null where there is no compiler or no header. */
function compile(lines: readonly string[]): string | null {
  const file = join(folder, 'check.c')
  writeFileSync(file, `${headers}${lines.join('\n')}\n`)
  const { status, stderr } = spawnSync('cc', ['-std=c11', '-Werror', '-fsyntax-only', file], {
    encoding: 'utf8',
  })
  return status === 0 ? '' : stderr
}

const headers = '#include <stdint.h>\n#include <openssl/ssl.h>\n#include <openssl/err.h>\n'

function canCompile(): boolean {
  writeFileSync(join(folder, 'probe.c'), headers)
  return spawnSync('cc', ['-fsyntax-only', join(folder, 'probe.c')]).status === 0
}

const hasCompiler = canCompile()
if (!hasCompiler)
  console.warn('prototypes are not compared: no C compiler, or no OpenSSL headers (libssl-dev)')

describe('the prototypes of OpenSSL', () => {
  it.skipIf(!hasCompiler)('are those of the headers', () => {
    const pointers = Object.values(prototypes).map(({ text }) => {
      const name = nameOf(text)
      return `${text.replace(`${name}(`, `(*check_${name})(`)} = ${name};`
    })
    expect(compile(pointers)).toBe('')
  })

  it.skipIf(!hasCompiler)('have the numbers of the headers', () => {
    const checks = Object.entries(constants).map(
      ([name, value]) => `_Static_assert(${name} == ${value}, "");`,
    )
    expect(compile(checks)).toBe('')
  })

  it.skipIf(!hasCompiler)('would not pass with a wrong type or number', () => {
    expect(compile(['SSL *(*check)(SSL *context) = SSL_new;'])).toMatch(/incompatible/)
    expect(compile(['_Static_assert(SSL_ERROR_SSL == 2, "");'])).toMatch(/assert/)
  })
})

describe('OpenSSL of this process', () => {
  it('is the one that Node reports', async () => {
    const openssl = await loadOpenssl()
    const [major = 0, minor = 0, patch = 0] = process.versions.openssl
      .split('.')
      .map((it) => Number.parseInt(it, 10))
    expect(Number(openssl.versionNumber()) >>> 4).toBe((major << 24) | (minor << 16) | patch)
  })

  it('is not of use when a function is missing, and that is said by name', async () => {
    const { ffi } = await loadOpenssl()
    const load = () => ({
      func: () => {
        throw new Error('absent')
      },
    })
    expect(() => bindOpenssl({ ...ffi, load: load as never })).toThrow(/has no OpenSSL_version_num/)
  })

  it('is no library on the disk', async () => {
    await loadOpenssl()
    const own = execFileSync('cat', [`/proc/${process.pid}/maps`], { encoding: 'utf8' })
    const isShared = process.config.variables.node_shared_openssl === true
    expect(own.includes('libssl')).toBe(isShared)
  })
})
