// Conntrack forgets a redirected connection, and is told of it again.

import { once } from 'node:events'
import type { Server, Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { restoreRedirected } from '../../../src/kernel/conntrack-restore.ts'
import { NetlinkSocket } from '../../../src/kernel/netlink-socket.ts'
import { Translation } from '../../../src/net/arrival/translation.ts'
import { NodeConnection } from '../../../src/tcp/node/connection.ts'
import { Lab, whyNoNamespaces } from '../../support/kernel-netns.ts'

const obstacle = whyNoNamespaces()
if (obstacle !== null) console.log(`forgotten translations: skipped, ${obstacle}`)

const MARK = 0xf7
const PORT = 2121

let lab: Lab
let netlink: NetlinkSocket
beforeAll(async () => {
  if (obstacle !== null) return
  lab = await Lab.create()
  netlink = new NetlinkSocket(lab.libc)
})
afterAll(() => {
  if (obstacle !== null) return
  netlink.close()
  lab.close()
})

describe.skipIf(obstacle !== null).each([4, 6] as const)('a redirected client over IPv%i', (family) => {
  const open: { destroy(): unknown }[] = []
  let server: Server

  beforeEach(() => {
    lab.nft(`flush ruleset
      table inet t {
        chain redirects {
          type nat hook prerouting priority dstnat
          tcp dport 21 fib daddr type != local ct mark set ${MARK} redirect to :${PORT}
        }
        chain input {
          type filter hook input priority filter; policy drop
          ct state established accept
          icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
          ct mark ${MARK} accept
        }
      }`)
  })

  afterEach(() => {
    for (const each of open.splice(0)) each.destroy()
    server.close()
  })

  /** A client that has said something and heard something, and how the kernel translates it. */
  async function arrive(): Promise<{ client: Socket; ours: NodeConnection; translation: Translation }> {
    const wanted = { address: lab.address('server', family), port: 21 }
    const arrived = new Promise<Socket>((resolve) => {
      void lab
        .listen('gateway', { address: family === 4 ? '0.0.0.0' : '::', port: PORT }, resolve)
        .then((listening) => {
          server = listening.server
          open.push(lab.connect('client', wanted).on('error', () => undefined))
        })
    })
    const accepted = await arrived
    const [client] = open as unknown as Socket[] // the only one so far
    if (client === undefined) throw new Error('nobody connected')
    open.push(accepted)
    const ours = new NodeConnection(accepted, lab.libc)
    client.write('USER joe\r\n')
    await once(accepted, 'readable')
    ours.write('331 Password?\r\n')
    expect(String(await once(client, 'data'))).toBe('331 Password?\r\n')
    const translation = new Translation({
      libc: lab.libc,
      connection: ours,
      wanted,
      restore: (connection) => restoreRedirected(netlink, { ...connection, mark: MARK }, 'RUNTIME_FAILED'),
    })
    return { client, ours, translation }
  }

  /** Until nothing that was under way has brought an entry back. */
  async function forget(): Promise<void> {
    await expect
      .poll(() => {
        const entries = lab.exec(
          'gateway',
          'conntrack',
          '-f',
          `ipv${family}`,
          '-L',
          '-p',
          'tcp',
          '--dport',
          '21',
        )
        lab.exec('gateway', 'conntrack', '-F')
        return entries
      })
      .toBe('')
  }

  it('hears what we say though conntrack had forgotten it, and is heard', async () => {
    const { client, ours, translation } = await arrive()
    expect(translation.keep()).toBe('kept')
    await forget()
    expect(translation.keep()).toBe('restored')
    expect(translation.keep()).toBe('kept')
    ours.write('530 Login incorrect.\r\n')
    expect(String(await once(client, 'data'))).toBe('530 Login incorrect.\r\n')
    const heard = new Promise((resolve) => {
      ours.start({
        received: (bytes, byteCount) => {
          const text = bytes.toString('latin1', 0, byteCount)
          // What was said before it was read.
          if (text.includes('QUIT')) resolve(true)
          return true
        },
        ended: () => undefined,
        drained: () => undefined,
        closed: () => resolve(false),
      })
    })
    client.write('QUIT\r\n')
    expect(await heard).toBe(true)
  })

  it('is lost once we have spoken untranslated', async () => {
    const { ours, translation } = await arrive()
    await forget()
    // As behind a firewall that does not answer strangers: a reset would make conntrack forget this one, too.
    lab.exec('client', 'nft', 'add table inet t; add chain inet t o { type filter hook output priority 0; }')
    lab.exec('client', 'nft', 'add rule inet t o tcp flags & rst == rst drop')
    ours.write('530 Login incorrect.\r\n')
    const entries = () => lab.exec('gateway', 'conntrack', '-f', `ipv${family}`, '-L')
    await expect.poll(entries).toContain(`sport=${PORT}`)
    // To conntrack it is a connection of ours now, which is in the way.
    expect(translation.keep()).toBe('lost')
    lab.exec('client', 'nft', 'delete table inet t')
  })
})
