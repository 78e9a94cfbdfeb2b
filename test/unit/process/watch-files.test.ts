import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type FileWatch, fingerprint, watchFiles } from '../../../src/process/watch-files.ts'

const intervalMs = 5
let folder: string
let watch: FileWatch | null = null

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ftp-alg-watch-'))
})
afterEach(() => {
  watch?.stop()
  rmSync(folder, { recursive: true })
})

const at = (name: string) => join(folder, name)
const write = (name: string, text: string) => writeFileSync(at(name), text)

/** Content that a ConfigMap mounted here would have: `config.yaml` -> `..data/config.yaml`, `..data` -> `..NUMBER`. */
function mountRevision(revision: number, text: string): void {
  mkdirSync(at(`..${revision}`))
  write(join(`..${revision}`, 'config.yaml'), text)
  symlinkSync(`..${revision}`, at('..data_tmp'))
  renameSync(at('..data_tmp'), at('..data'))
  if (revision === 1) symlinkSync(join('..data', 'config.yaml'), at('config.yaml'))
  else rmSync(at(`..${revision - 1}`), { recursive: true })
}

function startWatch(names: readonly string[], since?: string) {
  const changed = vi.fn()
  const files = names.map(at)
  watch = watchFiles({ files, intervalMs, changed, ...(since !== undefined && { since }) })
  return changed
}

/** It is told so often, and no more often. */
async function toldBy(changed: ReturnType<typeof vi.fn>, times: number): Promise<void> {
  await vi.waitFor(() => expect(changed).toHaveBeenCalledTimes(times), { timeout: 5000, interval: 2 })
  // Time for another look or two: nothing more may come.
  await new Promise((resolve) => setTimeout(resolve, 8 * intervalMs))
  expect(changed).toHaveBeenCalledTimes(times)
}

describe('watching files', () => {
  it('tells of a file that is written in place, once for each change', async () => {
    write('a', 'one')
    const changed = startWatch(['a'])
    await toldBy(changed, 0)
    write('a', 'two')
    await toldBy(changed, 1)
    write('a', 'six')
    await toldBy(changed, 2)
  })

  it('tells of a file that another is renamed to', async () => {
    write('a', 'one')
    const changed = startWatch(['a'])
    write('a.new', 'two')
    renameSync(at('a.new'), at('a'))
    await toldBy(changed, 1)
  })

  it('tells of a ConfigMap whose ..data is replaced, and goes on to do so', async () => {
    mountRevision(1, 'one')
    const changed = startWatch(['config.yaml'])
    mountRevision(2, 'two')
    await toldBy(changed, 1)
    mountRevision(3, 'three')
    await toldBy(changed, 2)
  })

  it('says nothing when a ConfigMap is replaced by an equal one, or a file touched', async () => {
    mountRevision(1, 'one')
    const changed = startWatch(['config.yaml'])
    await toldBy(changed, 0)
    mountRevision(2, 'one')
    utimesSync(at('config.yaml'), 1, 1)
    await toldBy(changed, 0)
  })

  it('tells of a change back to an earlier content', async () => {
    mountRevision(1, 'one')
    const changed = startWatch(['config.yaml'])
    mountRevision(2, 'two')
    await toldBy(changed, 1)
    mountRevision(3, 'one')
    await toldBy(changed, 2)
  })

  it('tells of a file that goes, and of one that comes back', async () => {
    write('a', 'one')
    const changed = startWatch(['a'])
    rmSync(at('a'))
    await toldBy(changed, 1)
    write('a', 'one')
    await toldBy(changed, 2)
  })

  it('tells once of several files that change together', async () => {
    write('certificate', 'one')
    write('key', 'one')
    const changed = startWatch(['certificate', 'key'])
    write('certificate', 'two')
    write('key', 'two')
    await toldBy(changed, 1)
  })

  it('tells of what happened between the reading of a file and the beginning of the watch', async () => {
    write('a', 'one')
    const read = fingerprint([at('a')])
    write('a', 'two')
    await toldBy(startWatch(['a'], read), 1)
  })

  it('waits while a file is still being written', async () => {
    write('a', 'one')
    const changed = startWatch(['a'])
    let text = ''
    const begin = performance.now()
    while (performance.now() - begin < 20 * intervalMs) {
      text += 'x'
      write('a', text)
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(changed).not.toHaveBeenCalled()
    await toldBy(changed, 1)
  })

  it('is silent once it is stopped', async () => {
    write('a', 'one')
    const changed = startWatch(['a'])
    watch?.stop()
    write('a', 'two')
    await toldBy(changed, 0)
  })
})
