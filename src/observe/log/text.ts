/** What a peer may put into one field of a log line, in characters. */
export const MAX_TEXT = 256

const harmless = /^[\x20-\x7e]*$/
// DEL, C1 (which a terminal may take for an escape sequence), and the marks that turn the writing direction.
const treacherous = /[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g
const utf8 = new TextDecoder('utf-8', { fatal: true })

/**
 * A peer's text as a log line, the status page or a terminal may show it: read as UTF-8 where it is
 * (`'Ã¼.txt'` gives `'ü.txt'`), cut to 256 characters, without characters that could steer a terminal. The first 32
 * control characters stay, because JSON escapes them.
 *
 * The result is a copy: it does not keep the chunk alive that `text` was cut out of.
 * @param text latin1, one character a byte, as everything on the control channel
 */
export function safeText(text: string, max: number = MAX_TEXT): string {
  // A character takes at most four bytes.
  const cut = text.length > max * 4 ? text.slice(0, max * 4) : text
  const bytes = Buffer.from(cut, 'latin1')
  const read = harmless.test(cut) ? bytes.toString('latin1') : cleaned(bytes, cut.length < text.length)
  return truncate(read, max)
}

/** `truncate('abcdef', 4)` gives `'abc…'`. */
export function truncate(text: string, max: number = MAX_TEXT): string {
  // Half of a surrogate pair at the cut would not be a character.
  return text.length > max ? `${text.slice(0, max - 1).replace(/[\ud800-\udbff]$/, '')}…` : text
}

/** Text that is not latin1 bytes: our own words, an error's message. */
export function escapeUnsafeCharacters(text: string): string {
  return text.replace(treacherous, escaped)
}

function cleaned(bytes: Buffer, isCut: boolean): string {
  return escapeUnsafeCharacters(readUtf8(bytes, isCut) ?? bytes.toString('latin1'))
}

/** Null when the bytes are not UTF-8. A cut may stand inside a character: up to three bytes are left out then. */
function readUtf8(bytes: Buffer, isCut: boolean): string | null {
  for (let left = 0; left <= (isCut ? 3 : 0); left += 1) {
    try {
      return utf8.decode(bytes.subarray(0, bytes.length - left))
    } catch {
      // Not UTF-8 up to here.
    }
  }
  return null
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}
