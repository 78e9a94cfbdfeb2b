// The proxy that everybody writes first: node:net, pipe(), one regular expression. Checks nothing, pins nothing, expires
// nothing. Here to show what that costs, so that our own checks can be weighed against it.
//
//   node naive-relay.js LISTEN-ADDRESS PORT UPSTREAM-ADDRESS PORT

import type { AddressInfo, Socket } from 'node:net'
import { connect, createServer } from 'node:net'

const [listenAddress = '', listenPort = '', upstreamAddress = '', upstreamPort = ''] = process.argv.slice(2)

createServer({ noDelay: true }, (client) => {
  const server = connect({ host: upstreamAddress, port: Number(upstreamPort), noDelay: true })
  client.pipe(server)
  endTogether(client, server)
  server.on('data', (bytes) => {
    const text = bytes.toString('latin1')
    const passive = /^227 .*?\((\d+,\d+,\d+,\d+),(\d+),(\d+)\)/.exec(text)
    if (passive === null) {
      client.write(bytes)
      return
    }
    const [whole, address = '', high, low] = passive
    relayData(address.replaceAll(',', '.'), Number(high) * 256 + Number(low), (port) => {
      const mine = `${listenAddress.replaceAll('.', ',')},${port >> 8},${port & 0xff}`
      client.write(text.replace(whole, `227 Entering Passive Mode (${mine})`), 'latin1')
    })
  })
}).listen({ host: listenAddress, port: Number(listenPort), backlog: 4096 })

function relayData(host: string, port: number, announce: (port: number) => void): void {
  const listener = createServer((client) => {
    listener.close()
    const server = connect({ host, port })
    client.pipe(server)
    server.pipe(client)
    endTogether(client, server)
  })
  // A listening TCP server has an address object.
  listener.listen(0, listenAddress, () => announce((listener.address() as AddressInfo).port))
}

function endTogether(one: Socket, other: Socket): void {
  one.on('error', () => other.destroy())
  other.on('error', () => one.destroy())
  one.on('close', () => other.end())
  other.on('close', () => one.end())
}
