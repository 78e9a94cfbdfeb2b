// Where our outputs lead to.

import { fstatSync } from 'node:fs'
import { isatty } from 'node:tty'

/**
 * Whether what is written to a descriptor is read by systemd's journal, which takes a line's priority from its beginning.
 *
 * `JOURNAL_STREAM=8:3141` names device and inode of the socket; whoever was started by the service with another output has
 * the variable all the same. @see systemd.exec(5)
 */
export function isJournal(
  fd: number,
  { JOURNAL_STREAM }: Readonly<Record<string, string | undefined>>,
): boolean {
  const place = placeOf(fd)
  return place !== null && place === JOURNAL_STREAM
}

/** For the error stream: where that is the journal, each line gets its priority, 3 for errors and 4 for warnings. */
export function withPriority(
  text: string,
  priority: 3 | 4,
  environment: Readonly<Record<string, string | undefined>>,
): string {
  return isJournal(2, environment) ? text.replaceAll(/^(?=.)/gm, `<${priority}>`) : text
}

export function isTerminal(fd: number): boolean {
  return isatty(fd)
}

/** Whether two descriptors lead to the same file, terminal, pipe or socket. */
export function isSamePlace(one: number, other: number): boolean {
  const place = placeOf(one)
  return place !== null && place === placeOf(other)
}

function placeOf(fd: number): string | null {
  try {
    const { dev, ino } = fstatSync(fd)
    return `${dev}:${ino}`
  } catch {
    return null
  }
}
