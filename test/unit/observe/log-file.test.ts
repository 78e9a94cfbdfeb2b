import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream, existsSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm, stat, symlink, unlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test as base, describe, expect } from 'vitest'
import { type LogFileOptions, openLogFile } from '../../../src/observe/transfers/log-file.ts'

const test = base.extend<{ folder: string }>({
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads the names of the fixtures it needs from here
  folder: async ({}, use) => {
    const folder = await mkdtemp(join(tmpdir(), 'ftp-alg-transfers-'))
    await use(folder)
    await rm(folder, { recursive: true, force: true })
  },
})

/** A log file that counts what it reports. */
function openCounted(path: string, options: Partial<LogFileOptions> = {}) {
  const seen = { opened: 0, written: 0, lost: 0, failures: [] as string[], working: 0 }
  const file = openLogFile({
    path,
    retryMs: 20,
    opened: () => {
      seen.opened += 1
    },
    written: (lines) => {
      seen.written += lines
    },
    lost: (lines) => {
      seen.lost += lines
    },
    failed: (error) => seen.failures.push(`${error.syscall} ${error.code}`),
    working: () => {
      seen.working += 1
    },
    ...options,
  })
  return { file, seen }
}

const textOf = (path: string) => (existsSync(path) ? readFileSync(path, 'utf8') : null)

describe('a log file', () => {
  test('is there at once, readable for its owner and group only', async ({ folder }) => {
    const path = join(folder, 'transfers.log')
    const { file } = openCounted(path)
    await expect.poll(() => textOf(path)).toBe('')
    expect((await stat(path)).mode & 0o777).toBe(0o640 & ~process.umask())
    await file.close(10_000)
  })

  test('is appended to, in order', async ({ folder }) => {
    const path = join(folder, 'transfers.log')
    await writeFile(path, 'before\n')
    const { file, seen } = openCounted(path)
    for (let n = 0; n < 1000; n += 1) file.write(`line ${n}\n`)
    await file.close(10_000)
    const lines = textOf(path)?.split('\n')
    expect(lines).toEqual(['before', ...Array.from({ length: 1000 }, (_, n) => `line ${n}`), ''])
    expect(seen).toMatchObject({ written: 1000, lost: 0, failures: [] })
  })

  test('that was moved away is left, at once when told', async ({ folder }) => {
    const path = join(folder, 'transfers.log')
    const { file, seen } = openCounted(path)
    file.write('old\n')
    await expect.poll(() => seen.written).toBe(1)
    await rename(path, `${path}.1`)
    file.reopen()
    await expect.poll(() => seen.opened).toBe(2)
    file.write('new\n')
    await file.close(10_000)
    expect([textOf(`${path}.1`), textOf(path)]).toEqual(['old\n', 'new\n'])
  })

  test('what waited when it was told is in the new file, nothing is lost or doubled', async ({ folder }) => {
    const path = join(folder, 'transfers.log')
    const { file, seen } = openCounted(path)
    let next = 0
    for (let turn = 0; turn < 20; turn += 1) {
      for (let n = 0; n < 50; n += 1) file.write(`${next++}\n`)
      await expect.poll(() => seen.opened).toBeGreaterThan(turn)
      await rename(path, `${path}.${turn}`)
      file.reopen()
    }
    await file.close(10_000)
    const all = [
      ...Array.from({ length: 20 }, (_, turn) => textOf(`${path}.${turn}`) ?? ''),
      textOf(path) ?? '',
    ].join('')
    expect(all.trimEnd().split('\n').map(Number)).toEqual(Array.from({ length: 1000 }, (_, n) => n))
  })

  test('that was deleted by somebody is made again without being told', async ({ folder }) => {
    const path = join(folder, 'transfers.log')
    const { file, seen } = openCounted(path)
    await expect.poll(() => seen.opened).toBe(1)
    await unlink(path)
    await expect
      .poll(() => {
        file.write('x\n')
        return textOf(path)
      })
      .toMatch(/^x\n/)
    await file.close(10_000)
  })

  test('in a folder that is missing is written as soon as the folder is there', async ({ folder }) => {
    const path = join(folder, 'later', 'transfers.log')
    const { file, seen } = openCounted(path)
    file.write('kept\n')
    await expect.poll(() => seen.failures.length).toBeGreaterThan(2)
    expect(new Set(seen.failures)).toEqual(new Set(['open ENOENT']))
    await mkdir(join(folder, 'later'))
    await expect.poll(() => textOf(path)).toBe('kept\n')
    await expect.poll(() => seen).toMatchObject({ written: 1, lost: 0, working: 1 })
    await file.close(10_000)
  })

  test('on a full disk loses lines only when too many wait, and counts them', async ({ folder }) => {
    const path = join(folder, 'transfers.log')
    await symlink('/dev/full', path)
    const { file, seen } = openCounted(path, { maxWaiting: 100 })
    file.write('first\n')
    await expect.poll(() => seen.failures).toContain('write ENOSPC')
    for (let n = 0; n < 50; n += 1) file.write('0123456789\n')
    expect(seen.lost).toBe(41)
    // Somebody makes room.
    await unlink(path)
    await expect.poll(() => textOf(path)).toBe(`first\n${'0123456789\n'.repeat(9)}`)
    await expect.poll(() => seen).toMatchObject({ written: 10, working: 1 })
    await file.close(10_000)
  })

  test('that cannot be written at the end gives up within its time, and counts what was left', async ({
    folder,
  }) => {
    const { file, seen } = openCounted(join(folder, 'missing', 'transfers.log'))
    file.write('a\n')
    file.write('b\n')
    const start = performance.now()
    await file.close(500)
    expect(performance.now() - start).toBeLessThan(5000)
    expect(seen).toMatchObject({ written: 0, lost: 2 })
  })

  test('may be a named pipe, even one that nobody reads yet', async ({ folder }) => {
    const path = join(folder, 'pipe')
    execFileSync('mkfifo', [path])
    const { file, seen } = openCounted(path)
    file.write('through the pipe\n')
    await expect.poll(() => seen.failures).toContain('open ENXIO')
    const reader = createReadStream(path, { encoding: 'utf8' })
    const [text] = await once(reader, 'data')
    expect(text).toBe('through the pipe\n')
    await file.close(10_000)
    reader.destroy()
  })
})
