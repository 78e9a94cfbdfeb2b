// `ftp-alg firewall` on a real gateway whose own firewall drops by default: what is printed is what is needed,
// applying is idempotent, and removing leaves what was there before.

import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { firewall, firewallScript } from '../../../src/cli/firewall.ts'
import type { Config } from '../../../src/config/config.ts'
import { canonicalAddress } from '../../../src/ftp/addresses.ts'
import { originalDestination } from '../../../src/kernel/socket-options.ts'
import { acceptedBy, connectFrom } from '../../support/foreign-socket.ts'
import { gatewayConfig, listenerConfig, Printed } from '../../support/kernel-config.ts'
import { Lab, whyNoNamespaces } from '../../support/kernel-netns.ts'

const obstacle = whyNoNamespaces()
if (obstacle !== null) console.log(`ftp-alg firewall: skipped, ${obstacle}`)

/** The administrator's own rules, with the one line that our advice asks for. */
const ownRules = `
table inet filter {
  chain input {
    type filter hook input priority filter; policy drop;
    iifname lo accept
    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit } accept
    ct state established,related accept
    ct mark 0xf7 accept
  }
  chain forward {
    type filter hook forward priority filter; policy drop;
  }
}
`

const redirecting = gatewayConfig([
  listenerConfig('edge', { address: '::', port: 2121 }, { intercept: 'redirect' }),
])
const transparent = gatewayConfig([
  listenerConfig('edge4', { address: '127.0.0.1', port: 2121 }, { intercept: 'tproxy', source: 'client' }),
  listenerConfig('edge6', { address: '::1', port: 2121 }, { intercept: 'tproxy', source: 'client' }),
])

describe.skipIf(obstacle !== null)('ftp-alg firewall', () => {
  let lab: Lab
  beforeAll(async () => {
    lab = await Lab.create()
  })
  afterAll(() => lab.close())
  beforeEach(() => void lab.nft(`flush ruleset\n${ownRules}`))
  afterEach(() => run(gatewayConfig([]), 'remove'))

  /** Everything that a machine's firewall and policy routing are. */
  const state = () =>
    [
      lab.exec('gateway', 'nft', 'list', 'ruleset'),
      ...(['-4', '-6'] as const).flatMap((family) => [
        lab.exec('gateway', 'ip', family, 'rule'),
        lab.exec('gateway', 'ip', family, 'route', 'show', 'table', 'all'),
      ]),
    ].join('\n')

  async function run(config: Config, action: 'print' | 'apply' | 'remove'): Promise<readonly string[]> {
    const stdout = new Printed()
    expect(await firewall(config, { action, stdout })).toBe(0)
    return stdout.lines
  }

  it.each([4, 6] as const)(
    'redirects IPv%i clients to a listener, through a firewall that drops',
    async (family) => {
      await run(redirecting, 'apply')
      const wanted = { address: lab.address('server', family), port: 21 }
      const accepted: unknown[] = []
      const { server } = await lab.listen('gateway', { address: '::', port: 2121 }, (socket) => {
        accepted.push(originalDestination(lab.libc, acceptedBy(socket)))
        socket.end()
      })
      const socket = lab.connect('client', wanted)
      await expect.poll(() => accepted).toEqual([wanted])
      socket.destroy()
      server.close()
    },
  )

  it.each([
    [4, '0'],
    [6, '0'],
    [4, '1'],
    [6, '1'],
  ] as const)(
    'brings IPv%i clients to a transparent listener, and the server’s answers back, with rp_filter %s',
    async (family, strict) => {
      for (const scope of ['all', `${lab.interfaceTowards('client')}`, lab.interfaceTowards('server')]) {
        lab.exec('gateway', 'sysctl', '-qw', `net.ipv4.conf.${scope}.rp_filter=${strict}`)
      }
      await run(transparent, 'apply')
      const wanted = { address: lab.address('server', family), port: 21 }
      const atServer: string[] = []
      const ftp = await lab.listen('server', wanted, (socket) => {
        atServer.push(canonicalAddress(socket.remoteAddress ?? ''))
        socket.end('220 ready\r\n')
      })
      const listen = { address: family === 4 ? '127.0.0.1' : '::1', port: 2121 }
      const proxy = await lab.listen('gateway', listen, (socket) => {
        const from = { address: canonicalAddress(socket.remoteAddress ?? ''), port: 0 }
        const to = { address: canonicalAddress(socket.localAddress ?? ''), port: socket.localPort ?? 0 }
        connectFrom(lab.libc, { from, to, avoidPort: socket.remotePort ?? 0 }).pipe(socket)
      })
      const socket = lab.connect('client', wanted)
      const [greeting] = await once(socket, 'data')
      expect(String(greeting)).toBe('220 ready\r\n')
      expect(atServer).toEqual([lab.address('client', family)])
      socket.destroy()
      ftp.server.close()
      proxy.server.close()
    },
  )

  it('leaves connections to the gateway itself, and from itself, alone', async () => {
    await run(redirecting, 'apply')
    const at = { address: lab.gatewayTowards('client'), port: 21 }
    lab.nft('insert rule inet filter input tcp dport 21 accept')
    const local: unknown[] = []
    const { server } = await lab.listen('gateway', at, (socket) => {
      local.push({ address: canonicalAddress(socket.localAddress ?? ''), port: socket.localPort })
      socket.destroy()
    })
    lab.connect('client', at).on('error', () => undefined)
    await expect.poll(() => local).toEqual([at])
    server.close()
  })

  it.each([
    ['redirect', redirecting],
    ['tproxy', transparent],
    ['both', gatewayConfig([...redirecting.listeners, ...transparent.listeners])],
  ])('does by script exactly what it does by itself (%s)', async (_name, config) => {
    const before = state()
    const script = firewallScript(config)
    for (let time = 0; time < 2; time += 1) {
      execFileSync('sh', ['-s'], { input: script, stdio: ['pipe', 'pipe', 'pipe'] })
    }
    const byScript = state()
    expect(byScript).not.toBe(before)
    await run(config, 'remove')
    expect(state()).toBe(before)
    await run(config, 'apply')
    expect(state()).toBe(byScript)
  })

  it('says when there is nothing to do', async () => {
    const first = await run(transparent, 'apply')
    expect(first).toEqual([
      'nft: table inet ftp_alg_intercept is in place',
      'ip -4 rule add fwmark 0xf7 lookup 2121 priority 2121',
      'ip -4 route replace local default dev lo table 2121',
      'ip -6 rule add fwmark 0xf7 lookup 2121 priority 2121',
      'ip -6 route replace local default dev lo table 2121',
    ])
    expect(await run(transparent, 'apply')).toEqual(['nothing to do: all is in place'])
    expect(await run(transparent, 'remove')).toHaveLength(5)
    expect(await run(transparent, 'remove')).toEqual(['nothing to remove'])
  })

  it('follows a configuration that changes', async () => {
    await run(transparent, 'apply')
    const marked = { ...transparent, pinholes: { ...transparent.pinholes, mark: 0x51 } }
    expect(await run(marked, 'apply')).toContain('ip -4 rule del fwmark 0xf7 lookup 2121 priority 2121')
    expect(lab.exec('gateway', 'ip', 'rule')).toMatch(/fwmark 0x51 lookup 2121/)
    expect(lab.exec('gateway', 'ip', 'rule')).not.toMatch(/0xf7/)
    await run(redirecting, 'apply')
    expect(lab.exec('gateway', 'ip', 'rule')).not.toMatch(/2121/)
    expect(lab.exec('gateway', 'nft', 'list', 'ruleset')).not.toMatch(/tproxy/)
    await run(gatewayConfig([]), 'apply')
    expect(lab.exec('gateway', 'ip', 'rule')).not.toMatch(/2121/)
    expect(lab.exec('gateway', 'nft', 'list', 'ruleset')).not.toMatch(/ftp_alg/)
  })

  it('matches only the ports and interfaces that it is told to', async () => {
    const matches = { ports: [21, 2100], interfaces: [lab.interfaceTowards('client')] }
    const listener = listenerConfig(
      'edge',
      { address: '0.0.0.0', port: 2121 },
      { intercept: 'redirect', matches },
    )
    await run(gatewayConfig([listener]), 'apply')
    const arrivals: string[] = []
    const { server } = await lab.listen('gateway', { address: '0.0.0.0', port: 2121 }, (socket) => {
      const wanted = originalDestination(lab.libc, acceptedBy(socket))
      arrivals.push(`${canonicalAddress(socket.remoteAddress ?? '')} to ${wanted?.port}`)
      socket.destroy()
    })
    lab.nft('flush chain inet filter forward\nadd rule inet filter forward reject with tcp reset')
    const visits = (['client', 'attacker'] as const).flatMap((host) =>
      [21, 22, 2100].map((port) => lab.connect(host, { address: lab.address('server'), port })),
    )
    await Promise.all(
      visits.map((socket) => {
        socket.on('error', () => undefined)
        socket.on('end', () => socket.end())
        socket.resume()
        return new Promise((resolve) => socket.once('close', resolve))
      }),
    )
    expect(arrivals.sort()).toEqual([`${lab.address('client')} to 21`, `${lab.address('client')} to 2100`])
    server.close()
  })
})
