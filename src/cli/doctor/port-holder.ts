import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

export interface PortHolder {
  readonly pid: number
  /** As the kernel knows it, 15 characters at most: `'vsftpd'`. */
  readonly name: string
  readonly isFtpAlg: boolean
}

/** Who of this network namespace listens on a TCP port; null when no process does, or it is another user's and we are not root. */
export function holderOf(port: number): PortHolder | null {
  const sockets = new Set([...listenersOn(port)].map((inode) => `socket:[${inode}]`))
  if (sockets.size === 0) return null
  for (const pid of entriesOf('/proc').filter((name) => /^[0-9]+$/.test(name))) {
    const isHeld = entriesOf(`/proc/${pid}/fd`).some((fd) => sockets.has(linkOf(`/proc/${pid}/fd/${fd}`)))
    if (!isHeld) continue
    const commandLine = textOf(`/proc/${pid}/cmdline`).split('\0')
    const isFtpAlg =
      commandLine.includes('run') && commandLine.some((word) => /(^|\/)(ftp-alg|main\.js)$/.test(word))
    return { pid: Number(pid), name: textOf(`/proc/${pid}/comm`).trim(), isFtpAlg }
  }
  return null
}

/** Inodes. A line reads `0: 0100007F:0849 00000000:0000 0A … 1000 0 31415 …`; 0A is LISTEN. */
function listenersOn(port: number): string[] {
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  return ['tcp', 'tcp6'].flatMap((table) =>
    textOf(`/proc/self/net/${table}`)
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter(([, at = '', , state]) => at.endsWith(local) && state === '0A')
      .flatMap((words) => words[9] ?? []),
  )
}

function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}
