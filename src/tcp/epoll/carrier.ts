import type { Socket } from 'node:net'

/**
 * Calls `onReadable` whenever a socket could be read, and reads nothing: libuv finds no room in the buffer, says so
 * (ENOBUFS) and looks again in the next turn of the loop. False where Node's fields were not found.
 */
export function watchReadable(socket: Socket, onReadable: () => void): boolean {
  const fields: Record<PropertyKey, unknown> = socket as object as Record<PropertyKey, unknown>
  const handle = fields._handle
  if (!isReadingHandle(handle)) return false
  handle.onread = () => onReadable()
  handle.useUserBuffer(noRoom)
  handle.reading = true
  handle.readStart()
  return true
}

const noRoom = Buffer.alloc(0)

/** Node's stream wrap, as far as it is used here. */
interface ReadingHandle {
  reading: boolean
  onread: unknown
  readStart(): unknown
  useUserBuffer(buffer: Uint8Array): void
}

function isReadingHandle(handle: unknown): handle is ReadingHandle {
  if (typeof handle !== 'object' || handle === null) return false
  return ['useUserBuffer', 'readStart', 'onread'].every((name) => name in handle)
}
