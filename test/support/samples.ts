// The files that travel: one set of contents, known by their SHA-256.

import { createHash, randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'

export interface Sample {
  /** `64KiB.bin`. */
  readonly name: string
  readonly bytes: number
  readonly sha256: string
}

export interface Samples {
  readonly folder: string
  readonly small: readonly Sample[]
  /** 64 KiB: also used for resuming. */
  readonly middle: Sample
  /** 4 MiB: more than any buffer on the way holds. */
  readonly long: Sample
  /** 50 MiB. */
  readonly large: Sample
}

/** Writes random files of 0 bytes, 1 byte, 64 KiB, 4 MiB and 50 MiB into a new folder. */
export async function createSamples(): Promise<Samples> {
  const folder = await mkdtemp(join(tmpdir(), 'ftp-alg-samples-'))
  const create = async (name: string, bytes: number): Promise<Sample> => {
    const content = randomBytes(bytes)
    await writeFile(join(folder, name), content)
    return { name, bytes, sha256: createHash('sha256').update(content).digest('hex') }
  }
  const middle = await create('64KiB.bin', 65_536)
  const small = [await create('0B.bin', 0), await create('1B.bin', 1), middle]
  const long = await create('4MiB.bin', 4 * 1024 * 1024)
  return { folder, small, middle, long, large: await create('50MiB.bin', 50 * 1024 * 1024) }
}

/** The SHA-256 of a file, or `missing`. */
export async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256')
  try {
    await pipeline(createReadStream(path), hash)
    return hash.digest('hex')
  } catch {
    return 'missing'
  }
}
