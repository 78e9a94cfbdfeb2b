// `ftp-alg doctor` and the order of rules: what drops before the rule that lets us in, on the way out, and what changes
// addresses. Each cure is run, and cures.

import { execFileSync, spawnSync } from 'node:child_process'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { doctor } from '../../../src/cli/doctor.ts'
import type { Config } from '../../../src/config/config.ts'
import { gatewayConfig, listenerConfig, Printed } from '../../support/kernel-config.ts'
import { Lab, whyNoNamespaces } from '../../support/kernel-netns.ts'

const obstacle = whyNoNamespaces()
if (obstacle !== null) console.log(`ftp-alg doctor and the order of rules: skipped, ${obstacle}`)

const gateway = gatewayConfig([
  listenerConfig('edge', { address: '0.0.0.0', port: 2121 }, { intercept: 'redirect' }),
])
const transparent = gatewayConfig([
  {
    ...listenerConfig('edge4', { address: '127.0.0.1', port: 2121 }, { intercept: 'tproxy' }),
    source: 'client' as const,
  },
])
const relay = gatewayConfig([listenerConfig('public', { address: '0.0.0.0', port: 2131 })], {
  backend: 'relay',
})

describe.skipIf(obstacle !== null)('ftp-alg doctor', () => {
  let lab: Lab
  beforeAll(async () => {
    lab = await Lab.create()
  })
  afterAll(() => lab.close())
  afterEach(() => void lab.nft('flush ruleset'))

  /** Lines about rules of others that are not well. */
  async function complaints(about: Config): Promise<readonly string[]> {
    const stdout = new Printed()
    await doctor(about, { stdout, upstreamTimeoutMs: 200 })
    return stdout.lines.filter((line) => /^(FAIL|warn) {2}(your|source: client)/.test(line))
  }

  async function isCuredByWhatItSays(about: Config, expected: readonly string[]): Promise<void> {
    const found = await complaints(about)
    expect(found.map((line) => line.split('  ->  ')[0]?.replace(/rule \d+/, 'rule N'))).toEqual(expected)
    for (const line of found) execFileSync('sh', ['-c', line.split('  ->  ')[1] ?? ''], { stdio: 'pipe' })
    expect(await complaints(about)).toEqual([])
  }

  it('sees a rule that drops data connections before the one that lets them in', async () => {
    lab.nft(`
      table inet filter {
        chain forward { type filter hook forward priority filter; policy drop;
          ct state established,related accept
          iifname { "lan0", "wan0" } tcp dport 1024-65535 ct state new drop
          ct mark 0xf7 accept
        }
      }`)
    await isCuredByWhatItSays(gateway, [
      'FAIL  your forward chain: inet filter forward drops data connections by rule N of chain forward, before it lets them in',
    ])
  })

  it('sees it in a chain that accepts by default, and in one that is jumped to', async () => {
    lab.nft(`
      table inet site {
        chain checks { meta l4proto { tcp, udp } th dport 30000-40000 jump high; }
        chain high { ct state new counter reject; }
        chain forward { type filter hook forward priority filter; policy accept;
          jump checks
        }
      }`)
    await isCuredByWhatItSays(gateway, [
      'FAIL  your forward chain: inet site forward drops data connections by rule N of chain high, before it lets them in',
    ])
  })

  it('lets rules be that are for somebody else', async () => {
    lab.nft(`
      table inet filter {
        set banned { type ipv4_addr; }
        chain forward { type filter hook forward priority filter; policy accept;
          ct state invalid drop
          ip saddr @banned drop
          tcp dport { 135, 139, 445 } drop
          udp dport 1024-65535 drop
          tcp dport 1024-65535 ct state new limit rate over 100/second drop
          ct state established drop
        }
      }`)
    expect(await complaints(gateway)).toEqual([])
  })

  it('sees that a listener or a relay is cut off by a rule before the one for its port', async () => {
    lab.nft(`
      table inet filter {
        chain input { type filter hook input priority filter; policy accept;
          iifname "lo" accept
          ct state established accept
          tcp dport 1-65535 ct state new drop
          tcp dport 2131 accept
        }
      }`)
    await isCuredByWhatItSays(relay, [
      'FAIL  your input chain: inet filter input drops listener public by rule N of chain input, before it lets them in',
      'FAIL  your input chain: inet filter input drops data connections by rule N of chain input, before it lets them in',
    ])
  })

  it('sees an output chain that keeps us from servers', async () => {
    lab.nft(`
      table inet filter {
        chain output { type filter hook output priority filter; policy drop;
          oifname "lo" accept
          ct state established accept
          tcp dport { 53, 80, 443 } accept
        }
      }`)
    await isCuredByWhatItSays(gateway, [
      'FAIL  your output chain: inet filter output drops our connections to servers on port 21',
    ])
  })

  it('has exit code 3 where a privilege is missing, for a low port too', () => {
    const asNobody = (...args: readonly string[]) => {
      const nobody = ['--reuid=65534', '--regid=65534', '--clear-groups', '--inh-caps=-all']
      const main = new URL('../../../dist/main.js', import.meta.url).pathname
      const argv = [...nobody, process.execPath, main, 'doctor', '--admin', 'off', ...args]
      const { status, stdout } = spawnSync('setpriv', argv, { encoding: 'utf8' })
      return { status, failed: stdout.split('\n').filter((line) => line.startsWith('FAIL  p')) }
    }
    const low = asNobody('--upstream', '127.0.0.1:9', '--listen', '0.0.0.0:21')
    expect(low.status).toBe(3)
    expect(low.failed[0]).toContain('FAIL  port of default: 0.0.0.0 port 21: not allowed to listen')
    const kernel = asNobody('--intercept', 'redirect', '--listen', '0.0.0.0:2121')
    expect(kernel).toMatchObject({ status: 3, failed: [expect.stringContaining('CAP_NET_ADMIN is missing')] })
  })

  it('sees that masquerading undoes source: client, and minds it for nobody else', async () => {
    const rules = `
      table ip nat {
        chain postrouting { type nat hook postrouting priority srcnat;
          oifname "wan0" masquerade
        }
      }`
    lab.nft(rules)
    expect(await complaints(gateway)).toEqual([])
    expect(await complaints(transparent)).toEqual([
      'FAIL  source: client: ip nat postrouting changes addresses (rule 2): servers of listener edge4 see this machine, and cannot call clients  ->  nft insert rule ip nat postrouting ip daddr SERVERS accept, with your servers in place of SERVERS',
    ])
  })
})
