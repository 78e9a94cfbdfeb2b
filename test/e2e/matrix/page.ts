// docs/compatibility.md has two authors: the matrix of plain FTP, and that of FTPS, whose section comes last.

import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { cacheFolder } from '../../support/debian.ts'
import { holdLock } from '../../support/lock.ts'
import { ftpsHeading } from '../ftps-matrix/report.ts'

const page = new URL('../../../docs/compatibility.md', import.meta.url).pathname

/** Replaces one author's part and keeps the other's. */
export async function writePart(part: 'plain' | 'ftps', text: string): Promise<void> {
  await mkdir(cacheFolder(), { recursive: true })
  const release = await holdLock(join(cacheFolder(), 'compatibility'))
  try {
    const old = await readFile(page, 'utf8').catch(() => '')
    const [plain = '', ftps = ''] = old.split(`\n${ftpsHeading}\n`)
    const parts = {
      plain: plain.trimEnd(),
      ftps: ftps === '' ? '' : `${ftpsHeading}\n${ftps}`.trimEnd(),
      [part]: text.trimEnd(),
    }
    const whole = `${parts.plain}\n${parts.ftps === '' ? '' : `\n${parts.ftps}\n`}`
    if (whole === old) return
    // Other files copy the docs meanwhile: they must not meet half a page.
    await writeFile(`${page}.new`, whole)
    await rename(`${page}.new`, page)
  } finally {
    await release()
  }
}
