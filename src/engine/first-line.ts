import { verbs } from '../ftp/commands.ts'

export interface FirstWord {
  /** Whether this is the beginning of an FTP session. */
  readonly isFtp: boolean
  /** What decided it, at most nine characters. */
  readonly word: string
}

/**
 * Judges the first bytes that a client sends; null while more bytes are needed.
 *
 * HTTP requests, TLS hellos and SSH banners are no FTP: `'POST / HTTP/1.1\r\n'`, `'\x16\x03\x01…'` (which may never
 * send LF) and `'SSH-2.0-x\r\n'`. `'USER joe\r\n'` is.
 */
export function readFirstWord(pending: string): FirstWord | null {
  if (pending === '') return null
  const first = pending.charCodeAt(0) | 0x20
  if (first < 97 || first > 122) return { isFtp: false, word: pending.charAt(0) }
  const head = pending.slice(0, MAX_VERB_LETTERS + 1)
  const end = head.search(/[ \r\n]/)
  if (end >= 0) return { isFtp: verbs.has(head.slice(0, end).toUpperCase()), word: head.slice(0, end) }
  return head.length > MAX_VERB_LETTERS ? { isFtp: false, word: head } : null
}

/** No verb is longer: XSHA256, XSHA512. */
const MAX_VERB_LETTERS = 8
