// The end of TLS on a connection that goes on in clear: CCC. Our close_notify, then theirs; but some clients (curl's passive
// mode) send none and go on at once, so that the next byte is looked at before it is read.

import { EAGAIN, errnoError, type Libc, MSG_DONTWAIT, MSG_PEEK } from '../kernel/libc.ts'
import { EMPTY, ENDED, type OpensslStream, WANTS_READ } from '../kernel/openssl-stream.ts'
import type { Connection, DirectAccess, Found } from '../tcp/connection.ts'
import { notCleared } from './connection-error.ts'
import type { HandshakeTimer } from './handshake-timer.ts'

export interface Clearing {
  /** Read without read-ahead, so that OpenSSL has nothing that belongs behind. */
  readonly stream: Pick<OpensslStream, 'notifyEnd' | 'read' | 'free'>
  readonly raw: Pick<Connection, 'fd' | 'destroy' | 'pause' | 'resume'>
  readonly access: Pick<DirectAccess, 'readBy' | 'whenWritable'> & {
    readonly libc: Pick<Libc, 'recv' | 'errno'>
  }
  /** For a close_notify that has begun to come. */
  readonly timer: Pick<HandshakeTimer, 'start' | 'stop'>
}

/** Calls `cleared` once TLS is over, with the stream freed; never where the connection is closed before. */
export function endTls({ stream, raw, access, timer }: Clearing, cleared: () => void): void {
  // Text of ours must not get into the middle of our own last record.
  const notify = () => {
    if (stream.notifyEnd()) raw.resume()
    else access.whenWritable(notify)
  }
  const over = (): Found => {
    timer.stop()
    access.readBy(null)
    stream.free()
    cleared()
    return 'something'
  }
  const broken = (problem: string): Found => {
    raw.destroy(notCleared(problem))
    return 'nothing'
  }
  // FIN behind half a record cannot be seen before that is read.
  const partial = (): Found => {
    timer.start()
    return 'nothing'
  }
  access.readBy(() => {
    const { libc } = access
    const seen = libc.recv(raw.fd ?? -1, peeked, peeked.length, MSG_PEEK | MSG_DONTWAIT)
    if (seen < 0) {
      const errno = libc.errno()
      if (errno !== EAGAIN) raw.destroy(errnoError(errno, 'read'))
      return 'nothing'
    }
    // FIN, or text: whoever reads next meets it.
    const type = peeked[0] ?? 0
    if (seen === 0 || type < FIRST_RECORD_TYPE || type > LAST_RECORD_TYPE) return over()
    if (seen < HEADER_BYTES) return partial()
    const recordBytes = HEADER_BYTES + peeked.readUInt16BE(3)
    if (recordBytes > peeked.length) return broken('a TLS record with data came after CCC')
    // Half a record that OpenSSL has begun could not be distinguished from text.
    if (seen < recordBytes) return partial()
    const result = stream.read(discarded, discarded.length)
    if (result === ENDED) return over()
    return result === WANTS_READ || result === EMPTY ? 'something' : broken('no close_notify came after CCC')
  })
  raw.pause()
  notify()
}

/** Says in clear what was to be said meanwhile. */
export function goOnInClear(
  raw: Connection,
  { unsent, ending }: { readonly unsent: readonly Buffer[]; readonly ending: 'not' | 'finish' | 'close' },
): Connection {
  for (const bytes of unsent) raw.writeBytes(bytes, bytes.length)
  if (ending === 'finish') raw.end()
  else if (ending === 'close') raw.close()
  return raw
}

/** @see RFC 8446 §5.1: change_cipher_spec, alert, handshake, application_data. */
const FIRST_RECORD_TYPE = 20
const LAST_RECORD_TYPE = 23
const HEADER_BYTES = 5
/** An alert, or a message of the handshake's, is far below that. */
const peeked = Buffer.allocUnsafeSlow(512)
const discarded = Buffer.allocUnsafeSlow(512)
