// A small FTP server of this process with TLS on either channel, which insists on data connections that resume the session of
// their control connection. `RETR 1000` gives that many bytes of the payload, `STOR` answers with what it got.

import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { createSecureContext, type SecureContext, TLSSocket } from 'node:tls'
import { boundTo, listenForOne, ownSockets, type PeerSockets } from './own-sockets.ts'
import { payload } from './payload.ts'
import type { CertificatePair } from './tls.ts'

export type TlsMode = 'plain' | 'explicit' | 'implicit'

export interface FtpsServerOptions {
  readonly address: string
  readonly mode: TlsMode
  readonly certificate: CertificatePair
  /** 0, any, when absent. */
  readonly port?: number
  /** Absent: here. */
  readonly sockets?: PeerSockets
}

export interface FtpsServer {
  readonly port: number
  close(): void
}

export async function startFtpsServer(options: FtpsServerOptions): Promise<FtpsServer> {
  const { address, mode, certificate, port = 0, sockets = ownSockets } = options
  const secureContext = createSecureContext({ cert: certificate.certificate, key: certificate.key })
  const open = new Set<Socket>()
  const server = await sockets.listen({ address, port }, (socket) => {
    open.add(socket)
    socket.on('error', () => undefined)
    socket.setNoDelay(true)
    const visit = new Visit(socket, { address, secureContext, sockets })
    void serve(visit, mode).catch(() => socket.destroy())
  })
  return {
    port: boundTo(server).port,
    close: () => {
      server.close()
      for (const socket of open) socket.destroy()
    },
  }
}

async function serve(visit: Visit, mode: TlsMode): Promise<void> {
  if (mode === 'implicit') await visit.secure()
  visit.reply('220 Ready.')
  for (let line = await visit.line(); line !== null; line = await visit.line()) {
    const [verb = '', argument = ''] = line.split(' ')
    if (verb === 'QUIT') break
    if (verb === 'AUTH' && mode === 'explicit') {
      visit.reply('234 Go ahead.')
      await visit.secure()
    } else {
      await visit.answer(verb, argument)
    }
  }
  visit.reply('221 Bye.')
  visit.socket.end()
}

interface Setting {
  readonly address: string
  readonly secureContext: SecureContext
  readonly sockets: PeerSockets
}

class Visit {
  socket: Socket
  readonly #setting: Setting
  #isPrivate = false
  #text = ''
  #hasEnded = false
  #wake: () => void = () => undefined
  #data: (() => Promise<Socket>) | null = null

  constructor(socket: Socket, setting: Setting) {
    this.socket = socket
    this.#setting = setting
    this.#listen()
  }

  reply(line: string): void {
    this.socket.write(`${line}\r\n`)
  }

  async line(): Promise<string | null> {
    for (;;) {
      const end = this.#text.indexOf('\r\n')
      if (end >= 0) {
        const line = this.#text.slice(0, end)
        this.#text = this.#text.slice(end + 2)
        return line
      }
      if (this.#hasEnded) return null
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  async secure(): Promise<void> {
    this.socket.removeAllListeners('data')
    const secure = new TLSSocket(this.socket, { isServer: true, secureContext: this.#setting.secureContext })
    secure.on('error', () => secure.destroy())
    this.socket = secure
    this.#listen()
    await once(secure, 'secure')
  }

  async answer(verb: string, argument: string): Promise<void> {
    switch (verb) {
      case 'USER':
        return this.reply('331 Password.')
      case 'PASS':
        return this.reply('230 Welcome.')
      case 'PBSZ':
        return this.reply('200 PBSZ=0')
      case 'PROT':
        this.#isPrivate = argument === 'P'
        return this.reply('200 As you like.')
      case 'PASV':
      case 'EPSV':
        return this.#listenForData(verb)
      case 'PORT':
      case 'EPRT':
        this.#callFor(argument)
        return this.reply('200 I shall call.')
      case 'RETR':
      case 'STOR':
        return this.#transfer(verb, Number(argument))
      default:
        return this.reply(`502 No ${verb}.`)
    }
  }

  async #listenForData(verb: 'PASV' | 'EPSV'): Promise<void> {
    const { address, sockets } = this.#setting
    const { at, accepted } = await listenForOne(sockets, address)
    this.#data = () => accepted
    const bytes = [...address.split('.'), at.port >> 8, at.port & 255].join(',')
    this.reply(verb === 'EPSV' ? `229 Here (|||${at.port}|)` : `227 Here (${bytes}).`)
  }

  #callFor(argument: string): void {
    const [, , host = '', port = ''] = argument.split('|')
    const bytes = argument.split(',').map(Number)
    const to = argument.startsWith('|')
      ? { address: host, port: Number(port) }
      : { address: bytes.slice(0, 4).join('.'), port: (bytes[4] ?? 0) * 256 + (bytes[5] ?? 0) }
    this.#data = async () => {
      const { address, sockets } = this.#setting
      const socket = sockets.connect(to, address)
      await once(socket, 'connect')
      return socket
    }
  }

  async #transfer(verb: 'RETR' | 'STOR', byteCount: number): Promise<void> {
    const reached = this.#data
    this.#data = null
    if (reached === null) return this.reply('425 No data connection.')
    const raw = await reached()
    this.reply('150 Go.')
    const socket = await this.#protect(raw)
    if (socket === null) return this.reply('522 Not the session of the control connection.')
    if (verb === 'RETR') {
      socket.end(payload(byteCount))
      socket.resume()
      await new Promise<void>((resolve) => socket.once('close', () => resolve()))
      this.reply(socket.errored === null ? '226 Sent.' : '426 Cut.')
    } else {
      const hash = createHash('sha256')
      for await (const chunk of socket) hash.update(chunk)
      socket.end()
      this.reply(`226 ${hash.digest('hex')}`)
    }
  }

  async #protect(raw: Socket): Promise<Socket | null> {
    raw.on('error', () => raw.destroy())
    if (!this.#isPrivate) return raw
    const secure = new TLSSocket(raw, { isServer: true, secureContext: this.#setting.secureContext })
    secure.on('error', () => secure.destroy())
    await once(secure, 'secure')
    if (secure.isSessionReused()) return secure
    secure.destroy()
    return null
  }

  #listen(): void {
    this.socket.on('data', (bytes: Buffer) => {
      this.#text += bytes.toString('latin1')
      this.#wake()
    })
    for (const event of ['end', 'close']) {
      this.socket.on(event, () => {
        this.#hasEnded = true
        this.#wake()
      })
    }
    this.socket.resume()
  }
}
