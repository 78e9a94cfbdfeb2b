import { createServer, connect as dial, type Server, type Socket } from 'node:net'
import { type ProxyVersion, writeProxyHeader } from '../../../src/tcp/proxy-protocol/header.ts'
import type { Endpoint } from './scripted-server.ts'

export interface BalancerPlan {
  /** Where clients reach it. */
  readonly at: string
  /** Its own address towards the proxy. */
  readonly from: string
  readonly version: ProxyVersion
  /** Where each of its ports leads. */
  readonly ports: ReadonlyMap<number, Endpoint>
}

export interface Balancer {
  close(): void
}

/** A balancer of the fourth layer that says in a PROXY header whom each connection is from. */
export async function startBalancer({ at, from, version, ports }: BalancerPlan): Promise<Balancer> {
  const sockets = new Set<Socket>()
  const servers: Server[] = []
  const close = () => {
    for (const server of servers) server.close()
    for (const socket of sockets) socket.destroy()
  }
  for (const [port, to] of ports) {
    const server = createServer({ allowHalfOpen: true }, (client) => {
      const proxy = dial({ host: to.address, port: to.port, localAddress: from, allowHalfOpen: true })
      const source = { address: client.remoteAddress ?? '', port: client.remotePort ?? 0 }
      proxy.write(writeProxyHeader(version, { source, destination: { address: at, port } }))
      for (const [one, other] of [
        [client, proxy],
        [proxy, client],
      ] as const) {
        sockets.add(one)
        one.on('error', () => other.resetAndDestroy())
        one.on('close', () => sockets.delete(one))
        one.pipe(other)
      }
    })
    servers.push(server)
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen({ host: at, port }, resolve)
    })
  }
  return { close }
}
