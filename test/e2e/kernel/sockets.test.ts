// What our own socket calls do on a real gateway: redirect, tproxy, foreign source addresses, urgent data.

import { once } from 'node:events'
import type { Socket } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { canonicalAddress } from '../../../src/ftp/addresses.ts'
import type { Endpoint } from '../../../src/ftp/endpoints.ts'
import { fdOf, keepUrgentInline, originalDestination } from '../../../src/kernel/socket-options.ts'
import { openTransparentListener, ownAddressTowards } from '../../../src/kernel/transparent.ts'
import { acceptedBy, connectFrom } from '../../support/foreign-socket.ts'
import { Lab, whyNoNamespaces } from '../../support/kernel-netns.ts'

const obstacle = whyNoNamespaces()
if (obstacle !== null) console.log(`sockets at the edge: skipped, ${obstacle}`)

let lab: Lab
beforeAll(async () => {
  if (obstacle === null) lab = await Lab.create()
})
afterAll(() => lab?.close())
beforeEach(() => {
  if (obstacle === null) lab.nft('flush ruleset')
})

describe.skipIf(obstacle !== null).each([4, 6] as const)('sockets at the edge over IPv%i', (family) => {
  const any = family === 4 ? '0.0.0.0' : '::'
  const loopback = family === 4 ? '127.0.0.1' : '::1'

  it('finds where a redirected client wanted to go', async () => {
    lab.nft(chain(family, 'type nat hook prerouting priority dstnat; tcp dport 21 redirect to :2121;'))
    const { socket, close } = await arrivalOf({ address: any, port: 2121 }, () =>
      lab.connect('client', { address: lab.address('server', family), port: 21 }),
    )
    expect(originalDestination(lab.libc, acceptedBy(socket))).toEqual({
      address: lab.address('server', family),
      port: 21,
    })
    close()
    expect(originalDestination(lab.libc, acceptedBy(socket))).toBeNull()
  })

  it('finds our own address where no rule changed the destination', async () => {
    // Some rule about NAT makes conntrack watch.
    lab.nft(chain(family, 'type nat hook prerouting priority dstnat; tcp dport 21 redirect to :2121;'))
    const at = { address: lab.gatewayTowards('client', family), port: 2122 }
    const { socket, close } = await arrivalOf(at, () => lab.connect('client', at))
    expect(originalDestination(lab.libc, acceptedBy(socket))).toEqual(at)
    close()
  })

  it('finds nothing where conntrack was told to look away', async () => {
    lab.nft(chain(family, 'type filter hook prerouting priority raw; notrack;'))
    const at = { address: lab.gatewayTowards('client', family), port: 2123 }
    const { socket, close } = await arrivalOf(at, () => lab.connect('client', at))
    expect(originalDestination(lab.libc, acceptedBy(socket))).toBeNull()
    close()
  })

  it('accepts a client at the address of the server, by tproxy', async () => {
    tproxy(
      family,
      `tcp dport 21 tproxy to ${family === 4 ? '127.0.0.1' : '[::1]'}:2124 meta mark set 1 accept`,
    )
    const wanted = { address: lab.address('server', family), port: 21 }
    const { socket, close } = await arrivalOf({ address: loopback, port: 2124 }, () =>
      lab.connect('client', wanted),
    )
    expect({ address: canonicalAddress(socket.localAddress ?? ''), port: socket.localPort }).toEqual(wanted)
    close()
  })

  it('connects to the server as the client, from a port that is not the client’s', async () => {
    tproxy(family, '')
    const clientAddress = lab.address('client', family)
    const to = { address: lab.address('server', family), port: 2125 }
    const sources: Endpoint[] = []
    const { server } = await lab.listen('server', to, (socket) => {
      sources.push({ address: canonicalAddress(socket.remoteAddress ?? ''), port: socket.remotePort ?? 0 })
      socket.end('hello, client')
    })
    // Once to learn which port the system likes, then again while it has to avoid exactly that one.
    const first = connectFrom(lab.libc, { from: { address: clientAddress, port: 0 }, to })
    expect(await textOf(first)).toBe('hello, client')
    const avoidPort = sources[0]?.port ?? 0
    const second = connectFrom(lab.libc, { from: { address: clientAddress, port: 0 }, to, avoidPort })
    expect(await textOf(second)).toBe('hello, client')
    expect(sources.map(({ address }) => address)).toEqual([clientAddress, clientAddress])
    expect(sources[1]?.port).not.toBe(avoidPort)
    server.close()
  })

  it('uses one chosen source port, such as 20, towards several peers at once', async () => {
    tproxy(family, '')
    const from = { address: lab.address('client', family), port: 20 }
    const ports: number[] = []
    const targets = await Promise.all(
      (['server', 'bystander'] as const).map((host) =>
        lab.listen(host, { address: lab.address(host, family), port: 2126 }, (socket) => {
          ports.push(socket.remotePort ?? 0)
          socket.on('error', () => undefined)
        }),
      ),
    )
    const sockets = targets.map(({ at }) => connectFrom(lab.libc, { from, to: at }))
    await Promise.all(sockets.map((socket) => once(socket, 'connect')))
    for (const socket of sockets) socket.destroy()
    await expect.poll(() => ports).toEqual([20, 20])
  })

  it('names the errno when an address is taken', () => {
    const at = { address: lab.gatewayTowards('client', family), port: 2127 }
    const { fd } = openTransparentListener(lab.libc, at)
    expect(() => openTransparentListener(lab.libc, at)).toThrow(
      expect.objectContaining({
        code: 'LISTEN_FAILED',
        message: expect.stringMatching(/port 2127 failed: EADDRINUSE, address already in use$/),
      }),
    )
    lab.libc.close(fd)
  })

  it('knows which of our addresses faces a peer', () => {
    expect(ownAddressTowards(lab.libc, lab.address('server', family))).toBe(
      lab.gatewayTowards('server', family),
    )
    const own = lab.gatewayTowards('client', family)
    expect(ownAddressTowards(lab.libc, own)).toBe(own)
    const nowhere = lab.within('client', () => {
      lab.exec('client', 'ip', `-${family}`, 'route', 'del', 'default')
      const answer = ownAddressTowards(lab.libc, lab.address('server', family))
      lab.exec(
        'client',
        'ip',
        `-${family}`,
        'route',
        'add',
        'default',
        'via',
        lab.gatewayTowards('client', family),
      )
      return answer
    })
    expect(nowhere).toBeNull()
  })
})

describe.skipIf(obstacle !== null)('sockets at the edge', () => {
  it('finds the IPv4 destination of a client on a socket for both families', async () => {
    lab.nft(chain(4, 'type nat hook prerouting priority dstnat; tcp dport 21 redirect to :2128;'))
    const wanted = { address: lab.address('server'), port: 21 }
    const { socket, close } = await arrivalOf({ address: '::', port: 2128 }, () =>
      lab.connect('client', wanted),
    )
    expect(socket.remoteAddress).toBe(`::ffff:${lab.address('client')}`)
    expect(originalDestination(lab.libc, acceptedBy(socket))).toEqual(wanted)
    close()
  })

  it('keeps the urgent byte of a Telnet Synch in the stream', async () => {
    const at = { address: lab.gatewayTowards('client'), port: 2129 }
    // IAC IP, then IAC DM with the mark sent as urgent data, then the command.
    const said = async (keep: boolean) => {
      const { socket, peer, close } = await arrivalOf(at, () => lab.connect('client', at))
      if (keep) expect(keepUrgentInline(lab.libc, socket)).toBe(true)
      const fd = fdOf(peer) ?? -1
      const urgent = Uint8Array.of(0xff, 0xf4, 0xff, 0xf2)
      expect(lab.libc.send(fd, urgent, urgent.length, MSG_OOB)).toBe(4)
      peer.end('ABOR\r\n')
      const heard = await textOf(socket)
      close()
      return heard
    }
    expect(await said(false)).toBe('\xff\xf4\xffABOR\r\n')
    expect(await said(true)).toBe('\xff\xf4\xff\xf2ABOR\r\n')
  })

  it('says that a closed socket cannot be set', async () => {
    const at = { address: lab.gatewayTowards('client'), port: 2130 }
    const { socket, close } = await arrivalOf(at, () => lab.connect('client', at))
    close()
    expect(fdOf(socket)).toBeNull()
    expect(keepUrgentInline(lab.libc, socket)).toBe(false)
  })
})

const MSG_OOB = 1

function chain(family: 4 | 6, contents: string): string {
  return `table ${family === 4 ? 'ip' : 'ip6'} t {\nchain c {\n${contents}\n}\n}\n`
}

/** The static rules of tproxy: sockets of ours at foreign addresses get what is theirs. */
function tproxy(family: 4 | 6, rule: string): void {
  const ours = 'meta l4proto tcp socket transparent 1 meta mark set 1 accept'
  lab.nft(chain(family, `type filter hook prerouting priority mangle; ${ours}\n${rule}`))
  const route = ['local', 'default', 'dev', 'lo', 'table', '100']
  lab.exec('gateway', 'ip', `-${family}`, 'route', 'replace', ...route)
  if (!lab.exec('gateway', 'ip', `-${family}`, 'rule').includes('lookup 100')) {
    lab.exec('gateway', 'ip', `-${family}`, 'rule', 'add', 'fwmark', '1', 'lookup', '100')
  }
}

/** Listens on the gateway, lets somebody connect, and gives both ends. */
async function arrivalOf(
  at: Endpoint,
  connect: () => Socket,
): Promise<{ socket: Socket; peer: Socket; close: () => void }> {
  let peer: Socket | null = null
  const opened = await new Promise<{ socket: Socket; server: { close(): void } }>((resolve, reject) => {
    const listening = lab.listen('gateway', at, (socket) => {
      listening.then(({ server }) => resolve({ socket, server }), reject)
    })
    listening.then(() => {
      peer = connect()
      peer.on('error', reject)
    }, reject)
  })
  if (peer === null) throw new Error('accepted before anybody connected')
  const remote: Socket = peer
  return {
    socket: opened.socket,
    peer: remote,
    close() {
      opened.socket.destroy()
      remote.destroy()
      opened.server.close()
    },
  }
}

async function textOf(socket: Socket): Promise<string> {
  let text = ''
  socket.setEncoding('latin1')
  for await (const chunk of socket) text += chunk
  return text
}
