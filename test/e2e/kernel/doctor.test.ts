// `ftp-alg doctor` on a gateway with everything wrong that can be wrong: it names each mistake, its cures are
// commands, and after running them all is well.

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { doctor } from '../../../src/cli/doctor.ts'
import { firewall } from '../../../src/cli/firewall.ts'
import type { Config } from '../../../src/config/config.ts'
import { gatewayConfig, listenerConfig, Printed } from '../../support/kernel-config.ts'
import { Lab, whyNoNamespaces } from '../../support/kernel-netns.ts'

const obstacle = whyNoNamespaces()
if (obstacle !== null) console.log(`ftp-alg doctor: skipped, ${obstacle}`)

const config = gatewayConfig([
  listenerConfig('edge4', { address: '127.0.0.1', port: 2121 }, { intercept: 'tproxy' }),
  listenerConfig('edge6', { address: '::1', port: 2121 }, { intercept: 'tproxy' }),
])

describe.skipIf(obstacle !== null)('ftp-alg doctor', () => {
  let lab: Lab
  beforeAll(async () => {
    lab = await Lab.create()
  })
  afterAll(() => lab.close())
  beforeEach(async () => {
    lab.nft('flush ruleset')
    await firewall(config, { action: 'remove', stdout: new Printed() })
  })

  async function consult(about: Config): Promise<{ exitCode: number; lines: readonly string[] }> {
    const stdout = new Printed()
    const exitCode = await doctor(about, { stdout, upstreamTimeoutMs: 500 })
    return { exitCode, lines: stdout.lines }
  }

  const notOk = (lines: readonly string[]) => lines.filter((line) => !line.startsWith('ok '))

  it('finds what is wrong, and its cures cure it', async () => {
    lab.nft(`
      table inet filter {
        chain input { type filter hook input priority filter; policy drop;
          iifname lo accept
        }
        chain forward { type filter hook forward priority filter; policy drop;
          ct state established accept
        }
      }`)
    for (const wrong of [
      'net.ipv4.ip_forward=0',
      'net.ipv6.conf.all.forwarding=0',
      'net.netfilter.nf_conntrack_events=0',
      'net.ipv4.conf.all.src_valid_mark=1',
      'net.ipv4.conf.all.rp_filter=1',
      'net.ipv4.ip_local_port_range=30500 60999',
      'net.bridge.bridge-nf-call-iptables=1',
      'net.bridge.bridge-nf-call-ip6tables=1',
    ]) {
      lab.exec('gateway', 'sysctl', '-qw', wrong)
    }
    lab.exec('gateway', 'ip', 'link', 'add', 'br0', 'type', 'bridge')
    const first = await consult(config)
    expect(first.exitCode).toBe(1)
    const wrong = notOk(first.lines)
    expect(wrong.map((line) => line.split('  ->  ')[0])).toEqual([
      'FAIL  interception rules: table inet ftp_alg_intercept is not loaded: nothing is intercepted',
      'FAIL  bridges: br0: net.bridge.bridge-nf-call-iptables and net.bridge.bridge-nf-call-ip6tables: 1, so that tproxy does not work for who is behind them',
      'FAIL  return route IPv4: the rule for mark 0xf7 is missing: what is meant for our sockets goes astray',
      'FAIL  return route IPv6: the rule for mark 0xf7 is missing: what is meant for our sockets goes astray',
      'FAIL  your input chain: inet filter input drops by default and does not accept ct mark 0xf7',
      'FAIL  your forward chain: inet filter forward drops by default and does not accept ct mark 0xf7',
      'FAIL  forwarding: net.ipv4.ip_forward is 0: the kernel forwards no data connection',
      'FAIL  forwarding: net.ipv6.conf.all.forwarding is 0: the kernel forwards no data connection',
      'FAIL  conntrack events: net.netfilter.nf_conntrack_events is 0: we never learn of a forwarded connection',
      'FAIL  reverse path: net.ipv4.conf.all.rp_filter is 1, src_valid_mark 1: answers to our sockets are dropped as spoofed',
      'warn  data ports: 30500-30999 are also given to outgoing connections (net.ipv4.ip_local_port_range)',
    ])
    for (const line of wrong) {
      const cure = line.split('  ->  ')[1] ?? ''
      if (cure.startsWith('ftp-alg firewall --apply')) {
        await firewall(config, { action: 'apply', stdout: new Printed() })
      } else {
        expect(cure).toMatch(/^(sysctl -w|nft insert rule) /)
        execFileSync('sh', ['-c', cure.replaceAll('(', '\\(')], { stdio: 'pipe' })
      }
    }
    const second = await consult(config)
    expect(notOk(second.lines)).toEqual([])
    expect(second.exitCode).toBe(0)
  })

  it('changes nothing by looking', async () => {
    const state = () =>
      lab.exec('gateway', 'nft', 'list', 'ruleset') +
      lab.exec('gateway', 'sysctl', '-a', '--pattern', 'conntrack_acct|forward|rp_filter')
    lab.exec('gateway', 'sysctl', '-qw', 'net.netfilter.nf_conntrack_acct=0')
    const before = state()
    await consult(config)
    expect(state()).toBe(before)
  })

  it('sees a kernel FTP helper that would rewrite after us', async () => {
    lab.nft(`table ip raw {
      ct helper ftp-standard { type "ftp" protocol tcp
      }
      chain pre { type filter hook prerouting priority filter;
        tcp dport 21 ct helper set "ftp-standard"
      }
    }`)
    const { lines } = await consult(config)
    expect(lines).toContain(
      'FAIL  kernel FTP helper: table raw has a ct helper for ftp  ->  remove it and the rules that set it',
    )
  })

  it('follows jumps, and accepts the administrator’s sets instead of the mark', async () => {
    lab.nft(`table inet filter {
      set ftp_data { type ipv4_addr . ipv4_addr . inet_service; flags timeout; }
      chain input { type filter hook input priority filter; policy drop;
        jump services
      }
      chain services { ip saddr . ip daddr . tcp dport @ftp_data accept
      }
      chain forward { type filter hook forward priority filter; policy drop;
      }
    }`)
    const admit = { ipv4: 'inet filter ftp_data', ipv6: null }
    const { lines } = await consult(gatewayConfig([], { admit }))
    expect(lines).toContain('ok    your input chain: inet filter input drops by default and knows our mark')
    expect(lines.join('\n')).toMatch(/FAIL {2}your forward chain: inet filter forward/)
  })

  it('sees chains that end in a drop, and is not taken in by another mark', async () => {
    lab.nft(`table inet filter {
      chain input { type filter hook input priority filter; policy accept;
        ct mark 2470 accept
        counter reject with icmpx admin-prohibited
      }
      chain forward { type filter hook forward priority filter; policy accept;
        tcp dport 22 drop
      }
    }`)
    const { lines } = await consult(config)
    expect(lines.filter((line) => line.includes('your '))).toEqual([
      'FAIL  your input chain: inet filter input drops by default and does not accept ct mark 0xf7  ->  nft insert rule inet filter input ct mark 0xf7 accept',
    ])
  })

  it('warns of listeners that cannot work, or take too much', async () => {
    const { lines } = await consult(
      gatewayConfig([
        listenerConfig('r', { address: '127.0.0.1', port: 2122 }, { intercept: 'redirect' }),
        listenerConfig('t', { address: '0.0.0.0', port: 2123 }, { intercept: 'tproxy' }),
      ]),
    )
    expect(lines.join('\n')).toMatch(
      /FAIL {2}listener r: redirected connections cannot arrive at 127\.0\.0\.1 {2}-> {2}listen: /,
    )
    expect(lines.join('\n')).toMatch(
      /warn {2}listener t: listens on every address.* {2}-> {2}listen: 127\.0\.0\.1:2123/,
    )
  })

  it('sees that a default-drop input chain keeps clients and relayed data out, and cures it', async () => {
    const relaying = gatewayConfig(
      [
        {
          ...listenerConfig('front', { address: '0.0.0.0', port: 2130 }),
          upstream: { host: '127.0.0.1', port: 9 },
        },
      ],
      { backend: 'relay' },
    )
    const input = async () => {
      const { lines } = await consult(relaying)
      return lines.filter((line) => line.includes('your input chain'))
    }
    expect(await input()).toEqual([])
    lab.nft(`table inet filter {
      chain input { type filter hook input priority filter; policy drop;
        iifname lo accept
        ct state established,related accept
        meta l4proto icmp accept
        tcp dport { 22, 2129 } accept
        udp dport 2130 accept
      }
    }`)
    const shut = await input()
    expect(shut.map((line) => line.split('  ->  ')[0])).toEqual([
      'FAIL  your input chain: inet filter input drops by default and does not accept port 2130 (listener front)',
      'FAIL  your input chain: inet filter input drops by default and does not accept port 30000-30999 (data connections)',
    ])
    for (const line of shut) execFileSync('sh', ['-c', line.split('  ->  ')[1] ?? ''], { stdio: 'pipe' })
    expect(await input()).toEqual([
      'ok    your input chain: inet filter input drops by default and lets our ports in',
    ])
  })

  it('names who holds a port of ours', async () => {
    const holder = await lab.listen('gateway', { address: '127.0.0.1', port: 2131 }, () => undefined)
    const { exitCode, lines } = await consult(
      gatewayConfig([listenerConfig('taken', { address: '127.0.0.1', port: 2131 })], { backend: 'relay' }),
    )
    const name = readFileSync('/proc/self/comm', 'latin1').trim()
    expect(lines).toContain(
      `FAIL  port of taken: 127.0.0.1 port 2131 is in use by ${name} (process ${process.pid})  ->  stop it, or another port`,
    )
    expect(exitCode).toBe(1)
    holder.server.close()
  })

  it('asks the servers', async () => {
    const upstream = (name: string, port: number) => ({
      ...listenerConfig(name, { address: '0.0.0.0', port: port + 100 }),
      upstream: { host: lab.address('server'), port },
    })
    const ftp = await lab.listen('server', { address: lab.address('server'), port: 2201 }, (socket) =>
      socket.end('220 ProFTPD\x07 ready\r\n'),
    )
    const ssh = await lab.listen('server', { address: lab.address('server'), port: 2202 }, (socket) =>
      socket.end('SSH-2.0-OpenSSH_9.2\r\n'),
    )
    const mute = await lab.listen('server', { address: lab.address('server'), port: 2203 }, () => undefined)
    const rude = await lab.listen('server', { address: lab.address('server'), port: 2204 }, (socket) =>
      socket.end(),
    )
    const relaying = gatewayConfig(
      [
        upstream('ftp', 2201),
        upstream('ssh', 2202),
        upstream('mute', 2203),
        upstream('rude', 2204),
        upstream('no', 2205),
      ],
      { backend: 'relay' },
    )
    const { exitCode, lines } = await consult(relaying)
    const at = (port: number) => `${lab.address('server')} port ${port}`
    expect(exitCode).toBe(1)
    expect(
      lines.filter((line) => line.includes('upstream of')).map((line) => line.split('  ->  ')[0]),
    ).toEqual([
      `ok    upstream of ftp: ${at(2201)} says 220 ProFTPD? ready`,
      `warn  upstream of ssh: ${at(2202)} says SSH-2.0-OpenSSH_9.2`,
      `FAIL  upstream of mute: ${at(2203)} accepts connections and says nothing within 500 ms`,
      `FAIL  upstream of rude: ${at(2204)} closes without a greeting`,
      `FAIL  upstream of no: ${lab.address('server')} port 2205: connect ECONNREFUSED ${lab.address('server')}:2205`,
    ])
    expect(lines[0]).toBe('ok    privilege: CAP_NET_ADMIN is granted')
    expect(lines.join('\n')).not.toMatch(/koffi|libnftables/)
    for (const { server } of [ftp, ssh, mute, rude]) server.close()
  })
})
