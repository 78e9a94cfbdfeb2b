// A SOCKS5 or HTTP proxy that knows names of its own, for tests of `via`.

import { connect, createServer, type Socket } from 'node:net'

export interface ForwardProxyPlan {
  readonly kind: 'socks5' | 'http'
  /** Where names lead; what is not here is asked of nobody and cannot be reached. */
  readonly names?: Readonly<Record<string, string>>
  /** Who may use it; absent: everybody. */
  readonly credentials?: { readonly user: string; readonly password: string }
}

export interface ForwardProxy {
  readonly address: string
  readonly port: number
  /** `host:port` of every request that it granted, as it was asked. */
  readonly asked: readonly string[]
  close(): void
}

type Ask = (host: string, port: number) => Promise<Socket | null>

export async function startForwardProxy(plan: ForwardProxyPlan): Promise<ForwardProxy> {
  const asked: string[] = []
  const sockets = new Set<Socket>()
  const ask: Ask = (host, port) => {
    asked.push(`${host}:${port}`)
    const to = connect({ host: plan.names?.[host] ?? host, port })
    sockets.add(to)
    return new Promise((resolve) => {
      to.once('connect', () => resolve(to))
      to.on('error', () => resolve(null))
    })
  }
  const server = createServer({ allowHalfOpen: true }, (client) => {
    sockets.add(client)
    client.on('error', () => undefined)
    const serve = plan.kind === 'socks5' ? serveSocks : serveHttp
    serve(client, plan, ask).then(
      (to) => to !== null && join(client, to),
      () => client.destroy(),
    )
  })
  await new Promise<void>((resolve) => server.listen({ host: '127.0.0.1', port: 0 }, resolve))
  const bound = server.address()
  if (bound === null || typeof bound === 'string') throw new Error('the proxy is not bound')
  return {
    address: '127.0.0.1',
    port: bound.port,
    asked,
    close() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

function join(client: Socket, server: Socket): void {
  client.pipe(server)
  server.pipe(client)
  client.on('close', () => server.destroy())
  server.on('close', () => client.destroySoon())
}

async function serveSocks(
  client: Socket,
  { credentials }: ForwardProxyPlan,
  ask: Ask,
): Promise<Socket | null> {
  const [, count = 0] = await read(client, 2)
  const offered = [...(await read(client, count))]
  const method = credentials === undefined ? 0 : offered.includes(2) ? 2 : 0xff
  client.write(Buffer.from([5, method]))
  if (method === 2) {
    const [, userLength = 0] = await read(client, 2)
    const user = (await read(client, userLength)).toString()
    const [passwordLength = 0] = await read(client, 1)
    const password = (await read(client, passwordLength)).toString()
    const isKnown = user === credentials?.user && password === credentials.password
    client.write(Buffer.from([1, isKnown ? 0 : 1]))
    if (!isKnown) throw new Error('a stranger')
  }
  const [, , , type] = await read(client, 4)
  const host =
    type === 3
      ? (await read(client, (await read(client, 1))[0] ?? 0)).toString()
      : [...(await read(client, 4))].join('.')
  const port = (await read(client, 2)).readUInt16BE()
  const to = await ask(host, port)
  client.write(Buffer.from([5, to === null ? 5 : 0, 0, 1, 0, 0, 0, 0, 0, 0]))
  return to
}

async function serveHttp(
  client: Socket,
  { credentials }: ForwardProxyPlan,
  ask: Ask,
): Promise<Socket | null> {
  let head = ''
  while (!head.endsWith('\r\n\r\n')) head += (await read(client, 1)).toString('latin1')
  const [, host = '', port = ''] = /^CONNECT \[?([^ \]]+?)\]?:(\d+) HTTP\/1\.1\r\n/.exec(head) ?? []
  const token = credentials && Buffer.from(`${credentials.user}:${credentials.password}`).toString('base64')
  if (token !== undefined && !head.includes(`\r\nProxy-Authorization: Basic ${token}\r\n`)) {
    client.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n')
    return null
  }
  const to = await ask(host, Number(port))
  if (to === null) client.end('HTTP/1.1 502 Bad Gateway\r\n\r\n')
  else client.write('HTTP/1.1 200 Connection established\r\n\r\n')
  return to
}

async function read(socket: Socket, count: number): Promise<Buffer> {
  if (count === 0) return Buffer.alloc(0)
  for (;;) {
    const bytes: Buffer | null = socket.read(count)
    if (bytes !== null) return bytes
    await new Promise<void>((resolve, reject) => {
      socket.once('readable', resolve)
      socket.once('end', () => reject(new Error('the end')))
      socket.once('close', () => reject(new Error('closed')))
    })
  }
}
