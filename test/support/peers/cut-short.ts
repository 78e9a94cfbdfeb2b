import { connect, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { connect as tlsConnect } from 'node:tls'

export interface Cut {
  /** After so many bytes in that direction, counted from the beginning of the handshake. */
  readonly after: number
  readonly of: 'sent' | 'received'
  readonly by: 'fin' | 'reset'
}

export interface CutPlace {
  /** Absent: 127.0.0.1. */
  readonly address?: string
  /** TLS from the first byte on, without AUTH. */
  readonly isImplicit?: boolean
}

/** Asks for TLS, begins a handshake and breaks it off; resolves when the connection is closed. */
export async function cutHandshake(
  port: number,
  { after, of, by }: Cut,
  { address = '127.0.0.1', isImplicit = false }: CutPlace = {},
): Promise<void> {
  const socket = connect({ host: address, port })
  socket.setNoDelay(true)
  socket.on('error', () => socket.destroy())
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  let text = ''
  const talk = (bytes: Buffer) => {
    text += bytes.toString('latin1')
    if (text.endsWith('\r\n') && text.includes('234 ')) {
      socket.off('data', talk)
      shake()
    } else if (text.startsWith('220') && text.endsWith('\r\n')) socket.write('AUTH TLS\r\n')
    else if (text.startsWith('421')) socket.destroy()
  }
  const shake = () => {
    let left = after
    const cut = () => {
      if (by === 'reset') socket.resetAndDestroy()
      else socket.destroySoon()
    }
    const pipe = new Duplex({
      read: () => undefined,
      write: (chunk: Buffer, _encoding, done) => {
        if (socket.destroyed) return done()
        if (of === 'received' || chunk.length <= left) {
          if (of === 'sent') left -= chunk.length
          socket.write(chunk)
        } else {
          socket.write(chunk.subarray(0, left))
          left = 0
          cut()
        }
        done()
      },
    })
    socket.on('data', (bytes: Buffer) => {
      if (of === 'received') {
        if (bytes.length > left) return cut()
        left -= bytes.length
      }
      pipe.push(bytes)
    })
    const secure = tlsConnect({ socket: pipe, rejectUnauthorized: false })
    secure.on('error', () => socket.destroy())
    // One that got through ends like the others.
    secure.once('secureConnect', () => {
      secure.on('data', () => undefined)
      cut()
    })
    closed.finally(() => pipe.destroy()).catch(() => undefined)
  }
  if (isImplicit) shake()
  else socket.on('data', talk)
  const late = setTimeout(() => socket.destroy(), 20_000)
  await closed
  clearTimeout(late)
}

/** Bytes as they are, behind AUTH; resolves with the connection. */
export async function sayBehindAuth(port: number, bytes: Buffer): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port })
  socket.on('error', () => socket.destroy())
  await new Promise<void>((resolve) => {
    let text = ''
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1')
      if (text.includes('\r\n234 ')) resolve()
      else if (text.startsWith('220') && !text.includes('\r\n2')) socket.write('AUTH TLS\r\n')
    })
    socket.once('close', resolve)
  })
  socket.write(bytes)
  return socket
}
