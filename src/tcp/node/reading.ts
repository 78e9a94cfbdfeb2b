// Reading a socket into a buffer of ours, without an allocation for each read: what Node calls `onread`.
//
// `net.connect` has the option, but a socket that a server accepted does not, and a connecting one must name its
// buffer before anybody knows what will be read. So the fields that the option sets are set by hand, on a paused
// socket: they are symbols of Node's own, found on a sample made with the option, the same on Node 20 to 24. Where they
// are not found, 'data' events do the same job at twice the cost.

import { Socket } from 'node:net'

/** Gets the bytes of one read; they are gone when it returns. False stops the reading, as `pause()` does. */
export type OnRead = (byteCount: number, bytes: Uint8Array) => boolean

/** Makes a paused socket read into our buffer; `startReading` starts it, `pause()` and `resume()` work as ever. */
export function readInto(socket: Socket, buffer: Uint8Array, onRead: OnRead): void {
  const fields: Record<PropertyKey, unknown> = socket as object as Record<PropertyKey, unknown>
  const handle = fields._handle
  if (onreadFields === null || !hasUseUserBuffer(handle)) {
    socket.on('data', (bytes: Buffer) => {
      if (!onRead(bytes.length, bytes)) socket.pause()
    })
    // Listening for 'data' started the flow.
    socket.pause()
    return
  }
  fields[onreadFields.buffer] = buffer
  fields[onreadFields.callback] = onRead
  handle.useUserBuffer(buffer)
}

/** Starts what `readInto` prepared, without waking the stream machinery that nobody needs here. */
export function startReading(socket: Socket): void {
  if (onreadFields === null) socket.resume()
  else socket.read(0)
}

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
  return hasUseUserBuffer(handle) && 'readStart' in handle && 'onread' in handle
}

interface OnreadFields {
  readonly buffer: symbol
  readonly callback: symbol
}

const onreadFields = findOnreadFields()

function findOnreadFields(): OnreadFields | null {
  // The type of the constructor's options leaves `onread` out; the constructor itself does not.
  const options: object = { onread: { buffer: new Uint8Array(1), callback: () => true } }
  const sample = new Socket(options)
  const symbols = Object.getOwnPropertySymbols(sample)
  const find = (name: string) => symbols.find((symbol) => symbol.description === name)
  const buffer = find('kBuffer')
  const callback = find('kBufferCb')
  sample.destroy()
  if (buffer === undefined || callback === undefined) return null
  return { buffer, callback }
}

function hasUseUserBuffer(handle: unknown): handle is { useUserBuffer(buffer: Uint8Array): void } {
  return typeof handle === 'object' && handle !== null && 'useUserBuffer' in handle
}
