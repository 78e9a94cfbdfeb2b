// Sizes in the file are bytes, or kibibytes with a `k`: the longest control line, `4096` or `4k`.

import { accept, type Parsed, refuse, type TextForm } from './complaint.ts'

/** RFC 959 sets no limit; 512 is what every server takes, 65536 keeps a session's memory bounded. */
export const lineBytesLimits = { min: 512, max: 65_536 } as const

const allowedSizes = `${lineBytesLimits.min} to ${lineBytesLimits.max} bytes, as in 4096 or 4k`

export const byteSizeForm: TextForm<number> = {
  name: 'size',
  allowed: allowedSizes,
  pattern: '^[1-9][0-9]*k?$',
  parse: parseByteSize,
}

/** Reads a size into bytes. `'4k'` and `'4096'` give `4096`. Refuses other units and sizes out of range. */
export function parseByteSize(text: string): Parsed<number> {
  const match = /^([1-9][0-9]*)(k?)$/.exec(text)
  if (match === null) return refuse('is not a size')
  const bytes = Number(match[1]) * (match[2] === 'k' ? 1024 : 1)
  if (bytes < lineBytesLimits.min) return refuse(`is less than ${lineBytesLimits.min} bytes`)
  if (bytes > lineBytesLimits.max) return refuse(`is more than ${lineBytesLimits.max} bytes`)
  return accept(bytes)
}

/** Writes bytes as the file has them. `4096` gives `'4k'`, `1000` gives `1000`. */
export function formatByteSize(bytes: number): string | number {
  return bytes % 1024 === 0 ? `${bytes / 1024}k` : bytes
}
