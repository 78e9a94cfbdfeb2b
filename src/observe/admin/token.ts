// The operators' token. It is read each time that it is asked for, so that a new one counts at once.

import { createHash, timingSafeEqual } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { AlgError } from '../../errors.ts'

const allowed = '16 to 512 printable ASCII characters without spaces'

/** Errors: `AlgError` CONFIG_INVALID when the file cannot be read or holds no token. */
export function readToken(file: string): string {
  const token = textOf(file).trim()
  if (/^[\x21-\x7e]{16,512}$/.test(token)) return token
  const what = token === '' ? 'is empty' : `holds ${token.length} characters, or some that are not allowed`
  throw new AlgError('CONFIG_INVALID', `admin.token: ${file} ${what} (allowed ${allowed})`, {
    context: { file },
  })
}

/** Takes as long whatever is given. */
export function isSameToken(token: string, given: string): boolean {
  return timingSafeEqual(digest(token), digest(given))
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause)
    throw new AlgError('CONFIG_INVALID', `admin.token: ${file} cannot be read: ${code}`, {
      context: { file },
      cause,
    })
  }
}
