// Records of TLS 1.3 that no library sends: KeyUpdate as often as one likes (RFC 8446 §4.6.3). A client of Node's shakes hands; then
// its keys are taken over.

import { createCipheriv, createHmac } from 'node:crypto'
import type { TLSSocket } from 'node:tls'

const SHA384 = 'sha384'
const APPLICATION_DATA = 23
const HANDSHAKE = 22
const KEY_UPDATE = 24
const TAG_BYTES = 16

/** Writes the client's records of a handshake that chose TLS_AES_256_GCM_SHA384 and has sent nothing since. */
export class RecordWriter {
  static readonly cipher = 'TLS_AES_256_GCM_SHA384'
  #secret: Buffer
  #key: Buffer = Buffer.alloc(0)
  #iv: Buffer = Buffer.alloc(0)
  #sequence = 0n

  /** Call it before the handshake; resolves behind it, when the server has sent a ticket, and so has had our last word of it. */
  static of(secure: TLSSocket): Promise<RecordWriter> {
    return new Promise((resolve) => {
      let writer: RecordWriter | null = null
      secure.on('keylog', (line: Buffer) => {
        const [label, , secret = ''] = line.toString('latin1').trim().split(' ')
        if (label === 'CLIENT_TRAFFIC_SECRET_0') writer = new RecordWriter(Buffer.from(secret, 'hex'))
      })
      secure.once('session', () => writer !== null && resolve(writer))
    })
  }

  private constructor(secret: Buffer) {
    this.#secret = secret
    this.#rekey()
  }

  data(text: string): Buffer {
    return this.#record(APPLICATION_DATA, Buffer.from(text, 'latin1'))
  }

  /** `isRequest`: the peer is to answer with one of its own. */
  keyUpdates(count: number, { isRequest }: { readonly isRequest: boolean }): Buffer {
    const updates = Array.from({ length: count }, () => {
      const record = this.#record(HANDSHAKE, Buffer.of(KEY_UPDATE, 0, 0, 1, isRequest ? 1 : 0))
      this.#secret = expand(this.#secret, 'traffic upd', this.#secret.length)
      this.#rekey()
      return record
    })
    return Buffer.concat(updates)
  }

  #rekey(): void {
    this.#key = expand(this.#secret, 'key', 32)
    this.#iv = expand(this.#secret, 'iv', 12)
    this.#sequence = 0n
  }

  /** @see RFC 8446 §5.2 */
  #record(type: number, content: Buffer): Buffer {
    const nonce = Buffer.from(this.#iv)
    nonce.writeBigUInt64BE(nonce.readBigUInt64BE(4) ^ this.#sequence, 4)
    this.#sequence += 1n
    const length = content.length + 1 + TAG_BYTES
    const head = Buffer.of(APPLICATION_DATA, 3, 3, length >> 8, length & 0xff)
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonce)
    cipher.setAAD(head)
    const sealed = Buffer.concat([cipher.update(Buffer.concat([content, Buffer.of(type)])), cipher.final()])
    return Buffer.concat([head, sealed, cipher.getAuthTag()])
  }
}

/** HKDF-Expand-Label of at most one block. @see RFC 8446 §7.1 */
function expand(secret: Buffer, label: string, length: number): Buffer {
  const full = Buffer.from(`tls13 ${label}`, 'latin1')
  const info = Buffer.concat([Buffer.of(length >> 8, length & 0xff, full.length), full, Buffer.of(0)])
  return createHmac(SHA384, secret).update(info).update(Buffer.of(1)).digest().subarray(0, length)
}
