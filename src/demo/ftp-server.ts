// A small FTP server in memory, for the demo only: one user, files in a Map, binary stream mode, all four data channel
// commands. It writes down every line it hears and says.

import { connect, createServer, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { parseCommand } from '../ftp/commands.ts'
import { type Endpoint, format227, format229, parseEprt, parseHostPort } from '../ftp/endpoints.ts'
import { listen } from './listen.ts'

export interface DemoServer {
  readonly at: Endpoint
  readonly files: Map<string, Buffer>
  stop(): void
}

/** `heard` and `said` are control lines without line end. */
export interface DemoServerEvents {
  readonly heard: (line: string) => void
  readonly said: (line: string) => void
}

/** Starts the server on a free port of 127.0.0.1. */
export async function startDemoServer(events: DemoServerEvents): Promise<DemoServer> {
  const files = new Map<string, Buffer>()
  const server = createServer((socket) => new DemoSession(socket, files, events))
  const at = await listen(server, '127.0.0.1')
  return { at, files, stop: () => server.close() }
}

/** How the next transfer gets its data connection. */
type DataSource = () => Promise<Socket>

class DemoSession {
  readonly #socket: Socket
  readonly #files: Map<string, Buffer>
  readonly #events: DemoServerEvents
  #data: DataSource | null = null

  constructor(socket: Socket, files: Map<string, Buffer>, events: DemoServerEvents) {
    this.#socket = socket
    this.#files = files
    this.#events = events
    socket.on('error', () => socket.destroy())
    createInterface({ input: socket.setEncoding('latin1') }).on('line', (line) => this.#heard(line))
    this.#say('220 Demo server ready.')
  }

  #heard(line: string): void {
    this.#events.heard(line)
    const { verb, argument } = parseCommand(line)
    this.#act(verb, argument).catch(() => this.#say('425 No data connection.'))
  }

  #say(line: string): void {
    this.#events.said(line)
    this.#socket.write(`${line}\r\n`, 'latin1')
  }

  async #act(verb: string, argument: string): Promise<void> {
    switch (verb) {
      case 'USER':
        this.#say('331 Password please.')
        break
      case 'PASS':
        this.#say('230 Logged in.')
        break
      case 'FEAT':
        this.#say('502 No features.')
        break
      case 'PASV':
        this.#say(format227(await this.#listenForData()))
        break
      case 'EPSV':
        this.#say(format229((await this.#listenForData()).port))
        break
      case 'PORT':
        this.#connectLater(parseHostPort(argument), verb)
        break
      case 'EPRT': {
        const parsed = parseEprt(argument)
        this.#connectLater(parsed.ok ? parsed.endpoint : null, verb)
        break
      }
      case 'STOR':
        await this.#store(argument)
        break
      case 'RETR':
        await this.#retrieve(argument)
        break
      case 'QUIT':
        this.#say('221 Goodbye.')
        this.#socket.end()
        break
      default:
        this.#say(/^(TYPE|OPTS|MODE|STRU|NOOP)$/.test(verb) ? `200 ${verb} ok.` : '502 Not in a demo.')
    }
  }

  async #listenForData(): Promise<Endpoint> {
    const server = createServer()
    const arrived = new Promise<Socket>((resolve) => {
      server.once('connection', (socket) => {
        server.close()
        resolve(socket)
      })
    })
    this.#data = () => arrived
    return listen(server, '127.0.0.1')
  }

  #connectLater(endpoint: Endpoint | null, verb: string): void {
    if (endpoint === null) {
      this.#say(`501 What is that ${verb}?`)
      return
    }
    this.#data = () => {
      const socket = connect({ host: endpoint.address, port: endpoint.port })
      return new Promise((resolve, reject) => {
        socket.once('connect', () => resolve(socket))
        socket.once('error', reject)
      })
    }
    this.#say(`200 ${verb} ok.`)
  }

  async #store(name: string): Promise<void> {
    const data = await this.#openData()
    const chunks: Buffer[] = []
    for await (const chunk of data) chunks.push(Buffer.from(chunk))
    this.#files.set(name, Buffer.concat(chunks))
    this.#say('226 Stored.')
  }

  async #retrieve(name: string): Promise<void> {
    const content = this.#files.get(name)
    if (content === undefined) {
      this.#say(`550 No ${name} here.`)
      return
    }
    const data = await this.#openData()
    data.end(content)
    await new Promise((resolve) => data.once('finish', resolve))
    this.#say('226 Sent.')
  }

  async #openData(): Promise<Socket> {
    const source = this.#data
    this.#data = null
    if (source === null) throw new Error('no data connection was set up')
    this.#say('150 Here it comes.')
    return source()
  }
}
