// The two forms of a line in the transfer log.

import type { TransferEntry } from './entry.ts'

export type TransferFormat = 'json' | 'xferlog'

export const transferFormats: Readonly<Record<TransferFormat, (entry: TransferEntry) => string>> = {
  json: formatTransferJson,
  xferlog: formatXferlog,
}

/** One object; what does not apply is absent. The names are those of the event `transfer` in the log. */
export function formatTransferJson({ endedAt, durationMs, ...entry }: TransferEntry): string {
  const fields = Object.entries({ ...entry, duration_ms: durationMs }).filter(([, value]) => value !== null)
  return `${JSON.stringify({ time: endedAt.toISOString(), ...Object.fromEntries(fields) })}\n`
}

/**
 * The line that wu-ftpd made common and every tool reads:
 *
 * `Mon May  4 12:03:04 2026 3 203.0.113.9 65536 /pub/a.bin b _ o r anna ftp 0 * c`
 *
 * when it ended (local time), seconds, client, bytes, file, type (a, b), `_`, direction (i in, o out), access (r real
 * user, a anonymous), user, service, authentication (0 none beyond FTP's own), its user, completion (c, i).
 * @see xferlog(5)
 */
export function formatXferlog(entry: TransferEntry): string {
  const { endedAt, durationMs, client_ip, bytes, file, type, direction, user, result } = entry
  const fields = [
    formatLocalTime(endedAt),
    // Under a second counts as one: readers divide by it.
    Math.max(1, Math.round((durationMs ?? 0) / 1000)),
    client_ip,
    bytes,
    asWord(file),
    type === 'ascii' ? 'a' : 'b',
    '_',
    direction === 'upload' ? 'i' : 'o',
    isAnonymous(user) ? 'a' : 'r',
    asWord(user ?? ''),
    'ftp',
    0,
    '*',
    result === 'ok' ? 'c' : 'i',
  ]
  return `${fields.join(' ')}\n`
}

/** `'Mon May  4 12:03:04 2026'`: always 24 characters, because readers count them. */
function formatLocalTime(time: Date): string {
  const days = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']
  const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
  const day = String(time.getDate()).padStart(2)
  const clock = [time.getHours(), time.getMinutes(), time.getSeconds()]
    .map((part) => String(part).padStart(2, '0'))
    .join(':')
  return `${days[time.getDay()]} ${months[time.getMonth()]} ${day} ${clock} ${time.getFullYear()}`
}

/** Fields are parted by spaces, so a field can have none; nothing at all is `*`. */
function asWord(text: string): string {
  return text === '' ? '*' : text.replace(/[\s\x00-\x1f\x7f-\x9f]/g, '_')
}

/** RFC 1635 knows one name, servers a second. The password that anonymous users give is never logged. */
function isAnonymous(user: string | null): boolean {
  const name = (user ?? '').toLowerCase()
  return name === 'anonymous' || name === 'ftp'
}
