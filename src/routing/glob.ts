/** Whether a text fits a pattern. */
export type Matches = (text: string) => boolean

/**
 * A pattern in which `*` stands for any characters, also none; everything else stands for itself.
 *
 * Pieces are looked for from left to right and never looked for again, so no text costs more than its length times the
 * pattern's. `globMatcher('partner-*')('partner-7')` is true.
 */
export function globMatcher(pattern: string): Matches {
  const [head = '', ...rest] = pattern.split('*')
  const tail = rest.pop()
  if (tail === undefined) return (text) => text === pattern
  const middle = rest.filter((piece) => piece !== '')
  return (text) => {
    const end = text.length - tail.length
    if (end < head.length || !text.startsWith(head) || !text.endsWith(tail)) return false
    let at = head.length
    for (const piece of middle) {
      const found = text.indexOf(piece, at)
      if (found < 0) return false
      at = found + piece.length
    }
    return at <= end
  }
}
