import { randomFillSync } from 'node:crypto'

const alphabet = '0123456789abcdefghjkmnpqrstvwxyz'
const LENGTH = 10
const pool = Buffer.alloc(LENGTH * 256)
let used = pool.length

/** `'k3v9x0q2m1'`: ten characters of 5 random bits each, without i, l, o and u, which are misread. */
export function createSessionId(): string {
  if (used === pool.length) {
    randomFillSync(pool)
    used = 0
  }
  let id = ''
  for (const end = used + LENGTH; used < end; used += 1) id += alphabet[(pool[used] ?? 0) & 31]
  return id
}
