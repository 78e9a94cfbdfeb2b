// The password of a pool's checks (`health.passwordFile`). It is read for each check, so that a new one counts at once.

import { readFileSync } from 'node:fs'
import type { PoolConfig } from '../../../config/config.ts'
import { AlgError } from '../../../errors.ts'

const MAX_BYTES = 512

/** The file's first and only line. Errors: `AlgError` CONFIG_INVALID with the pool and the file, never with what is in it. */
export function readCheckPassword(pool: string, file: string): string {
  const password = textOf(pool, file).replace(/\r?\n$/, '')
  const isOneLine = !/[\0\r\n]/.test(password)
  if (password !== '' && isOneLine && Buffer.byteLength(password) <= MAX_BYTES) return password
  const what = password === '' ? 'is empty' : isOneLine ? 'is too long' : 'has more than one line'
  throw invalid(pool, `${file} ${what} (allowed one line of up to ${MAX_BYTES} bytes)`, file)
}

/** Reads all of them once, for what is wrong. Errors: see `readCheckPassword`. */
export function tryCheckPasswords(pools: readonly PoolConfig[]): void {
  for (const { name, health } of pools) {
    if (health?.passwordFile !== undefined) readCheckPassword(name, health.passwordFile)
  }
}

function textOf(pool: string, file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause)
    throw invalid(pool, `${file} cannot be read: ${code}`, file, cause)
  }
}

function invalid(pool: string, what: string, file: string, cause?: unknown): AlgError {
  return new AlgError('CONFIG_INVALID', `upstreams[${pool}].health.passwordFile: ${what}`, {
    context: { file },
    ...(cause === undefined ? {} : { cause }),
  })
}
