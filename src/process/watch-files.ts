// Tells when what is in files has changed, whichever way it was changed: written in place, another file renamed over
// it, a symbolic link anywhere in its path turned to another target (a ConfigMap or Secret of Kubernetes: `config.yaml` leads
// to `..data/config.yaml`, and `..data` is replaced).
//
// It polls: inotify watches a directory entry or an inode, not a path through several links, and
// says nothing on network file systems. A look costs one stat a file.

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'

export interface FileWatch {
  stop(): void
}

export interface WatchRequest {
  readonly files: readonly string[]
  /** What `fingerprint` said when the files were read; without it, what they hold now. */
  readonly since?: string
  /** Between two looks. A change is reported once two looks in a row have seen the same. */
  readonly intervalMs?: number
  /** Called with every change of content, also when a file has gone, but not for a touched or replaced equal one. */
  changed(): void
}

/** Of the content of all files, in order; a file that cannot be read counts as such. */
export function fingerprint(files: readonly string[]): string {
  return combine(files, files.map(contentOf))
}

/** Watches until it is stopped; does not keep the process alive. */
export function watchFiles({ files, since, intervalMs = INTERVAL_MS, changed }: WatchRequest): FileWatch {
  let known = since ?? fingerprint(files)
  // Nothing has been compared yet: the first two looks compare whatever they see.
  let compared: string | null = null
  let seen: string | null = null
  let isLooking = false
  let isStopped = false
  const look = async () => {
    const before = seen
    seen = (await Promise.all(files.map(statsOf))).join('\n')
    // Still being written.
    if (seen !== before || seen === compared) return
    const content = combine(files, await Promise.all(files.map(contentSoon)))
    if (isStopped) return
    compared = seen
    if (content === known) return
    known = content
    changed()
  }
  const timer = setInterval(() => {
    // A file system that hangs is not asked a second time.
    if (isLooking) return
    isLooking = true
    void look().finally(() => {
      isLooking = false
    })
  }, intervalMs)
  timer.unref()
  return {
    stop: () => {
      isStopped = true
      clearInterval(timer)
    },
  }
}

const INTERVAL_MS = 500

function contentOf(file: string): Buffer | null {
  try {
    return readFileSync(file)
  } catch {
    return null
  }
}

function contentSoon(file: string): Promise<Buffer | null> {
  return readFile(file).catch(() => null)
}

function combine(files: readonly string[], contents: readonly (Buffer | null)[]): string {
  const hash = createHash('sha256')
  for (const [index, file] of files.entries()) {
    const content = contents[index] ?? null
    hash.update(`${file}\0${content === null ? 'unreadable' : content.length}\0`)
    if (content !== null) hash.update(content)
  }
  return hash.digest('hex')
}

/** `stat` follows every link in the path. The time of the last change of the inode cannot be set back. */
async function statsOf(file: string): Promise<string> {
  try {
    const { dev, ino, size, ctimeNs } = await stat(file, { bigint: true })
    return `${dev} ${ino} ${size} ${ctimeNs}`
  } catch {
    return 'unreadable'
  }
}
