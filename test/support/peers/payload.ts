// What travels: bytes that are the same for everybody who asks for the same size, and never repeat within a chunk,
// so that a lost, doubled or reordered block changes the hash.

import { createCipheriv, createHash } from 'node:crypto'

const payloads = new Map<number, Buffer>()
const hashes = new Map<number, string>()

/** `byteCount` bytes of a fixed key stream. */
export function payload(byteCount: number): Buffer {
  let bytes = payloads.get(byteCount)
  if (bytes === undefined) {
    const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16, 7), Buffer.alloc(16, byteCount % 251))
    bytes = cipher.update(Buffer.alloc(byteCount))
    payloads.set(byteCount, bytes)
  }
  return bytes
}

/** SHA-256 of `payload(byteCount)` in hex. */
export function payloadSha256(byteCount: number): string {
  let hash = hashes.get(byteCount)
  if (hash === undefined) {
    hash = createHash('sha256').update(payload(byteCount)).digest('hex')
    hashes.set(byteCount, hash)
  }
  return hash
}

export const KiB = 1024
export const MiB = 1024 * 1024
