// Reads records of TLS a turn at a time: enough to fill the buffer of whoever writes them on, and not so many that a peer who
// sends the smallest ones keeps everybody else waiting.

import { EMPTY, type OpensslStream } from '../kernel/openssl-stream.ts'

/** Results beside those of a stream. `MORE`: the buffer is full. `LATER`: others have their turn first. `FLOOD`: see below. */
export const MORE = 1
export const LATER = 2
export const FLOOD = -8

/** The most that one record holds. @see RFC 8446 §5.1 */
export const RECORD_BYTES = 16 * 1024
/** All connections read into this. */
export const recordBuffer = Buffer.allocUnsafeSlow(4 * RECORD_BYTES)

/** A record costs some three microseconds, a KeyUpdate ten times that: none comes with another in one turn. */
const RECORDS_A_TURN = 64
/** So many more records without data than with: nobody needs a KeyUpdate more often than every second record. */
const MAX_SURPLUS = 32

export class RecordReader {
  readonly #stream: Pick<OpensslStream, 'read'>
  /** Records without data, less those with. */
  #surplus = 0
  /** What the last `read` has put into `recordBuffer`. */
  byteCount = 0

  constructor(stream: Pick<OpensslStream, 'read'>) {
    this.#stream = stream
  }

  /** `MORE`, `LATER`, `FLOOD`, or what the stream came to. */
  read(): number {
    this.byteCount = 0
    for (let records = 0; records < RECORDS_A_TURN; records += 1) {
      const { byteCount } = this
      if (byteCount + RECORD_BYTES > recordBuffer.length) return MORE
      const rest = byteCount === 0 ? recordBuffer : recordBuffer.subarray(byteCount)
      const result = this.#stream.read(rest, RECORD_BYTES)
      if (result <= 0) return result === EMPTY ? this.#empty() : result
      this.byteCount += result
      if (this.#surplus > 0) this.#surplus -= 1
    }
    return LATER
  }

  #empty(): number {
    this.#surplus += 1
    return this.#surplus > MAX_SURPLUS ? FLOOD : LATER
  }
}
