import { verbs } from '../ftp/commands.ts'

/**
 * Is this the beginning of an FTP session? Decided from the first bytes a client sends: `null` while it cannot be told.
 *
 * HTTP requests, TLS hellos and SSH banners are not: `'POST / HTTP/1.1\r\n'`, `'\x16\x03\x01…'` (which may never
 * send LF) and `'SSH-2.0-x\r\n'` give false, `'USER joe\r\n'` gives true.
 */
export function beginsLikeFtp(pending: string): boolean | null {
  if (pending === '') return null
  const first = pending.charCodeAt(0) | 0x20
  if (first < 97 || first > 122) return false
  const end = pending.search(/[ \r\n]/)
  if (end >= 0) return verbs.has(pending.slice(0, end).toUpperCase())
  // No verb is longer than eight letters.
  return pending.length > 8 ? false : null
}
