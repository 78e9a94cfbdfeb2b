import { EAGAIN, errnoError, MSG_DONTWAIT } from '../kernel/libc.ts'
import type { Connection, DirectAccess, Found } from '../tcp/connection.ts'

/** After close_notify FIN and reset still come; anything else is against the protocol, and is thrown away. */
export function readBehindEnd(raw: Connection, { libc }: DirectAccess): Found {
  const byteCount = libc.recv(raw.fd ?? -1, nobodys, nobodys.length, MSG_DONTWAIT)
  if (byteCount > 0) return 'something'
  const errno = byteCount === 0 ? 0 : libc.errno()
  if (errno !== 0 && errno !== EAGAIN) raw.destroy(errnoError(errno, 'read'))
  return 'nothing'
}

const nobodys = Buffer.allocUnsafeSlow(16 * 1024)
