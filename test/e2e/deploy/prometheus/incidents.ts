// What goes wrong at a proxy, each at an instance of its own, with clients that go on as clients do.

import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openControlConnection } from '../../../support/control-connection.ts'
import type { Host, Network } from '../../../support/netns.ts'
import { runOrThrow } from '../../../support/programs.ts'
import { type RunningProxy, startProxy } from '../../../support/proxy.ts'
import { account, type FtpServer } from '../../../support/servers/server.ts'
import { applyInterception } from './interception.ts'

/** An instance, and what happens to it. */
export interface Incident {
  /** As the table of the runbook calls it. */
  readonly name: string
  /** The one alert that it raises. */
  readonly alert: string
  /** What the status page says then. */
  readonly page: RegExp
  readonly proxy: RunningProxy
  /** The `instance` label that Prometheus gives it. */
  readonly instance: string
  cause(): Promise<void>
}

export interface Scene {
  /** Instances side by side, whose clients connect to them. */
  readonly shared: Network
  /** A gateway whose firewall will drop. */
  readonly dropping: Network
  /** A gateway whose rules will be flushed. */
  readonly flushed: Network
  readonly folder: string
  readonly victim: FtpServer
  /** The port of the server that takes few sessions from one address. */
  readonly limitedPort: number
}

const address = '10.77.1.1'
const server = '10.77.2.10'
const user = `${account.user}:${account.password}`

let nth = 0

async function start(network: Network, config: string, more: Parameters<typeof startProxy>[0] = {}) {
  nth += 1
  const admin = { address: '127.0.0.1', port: 9200 + nth }
  const proxy = await startProxy({ place: network.gateway, admin, config, ...more })
  return { proxy, instance: `${admin.address}:${admin.port}` }
}

const traffic: (() => void)[] = []

/** Lets the clients begin, once all proxies run. */
export function beginTraffic(): void {
  for (const begin of traffic.splice(0)) begin()
}

/** Transfers one after another, from each host, until the namespaces are removed. */
function keepTransferring(network: Network, hosts: readonly string[], url: string): void {
  const once = `curl -sS --noproxy '*' -m 8 --user ${user} --ftp-pasv --no-ftp-skip-pasv-ip -o /dev/null ${url}`
  const loop = `while :; do ${once}; sleep 2; done`
  for (const host of hosts) traffic.push(() => void network.host(host).start(['sh', '-c', loop]))
}

function relayed(port: number, upstream: string, more = ''): string {
  const first = 20_000 + (port - 2200) * 100
  return `listeners: [{ name: edge, listen: '0.0.0.0:${port}', upstream: '${upstream}' }]
dataPorts: ${first}-${first + 49}
log: { level: warn }
${more}`
}

const intercepting = () => `listeners:
  - { name: edge, listen: '0.0.0.0:2121', intercept: redirect, matches: { interfaces: [side1] } }
pinholes: { backend: nftables }
log: { level: warn }
`

const all = [
  serverDown,
  firewallDrops,
  portsExhausted,
  attacker,
  diskFull,
  interceptionFlushed,
  conntrackFull,
  addressLimit,
]

/** One after another: so many processes that start at once would be late. */
export async function incidentsOf(scene: Scene): Promise<readonly Incident[]> {
  const incidents: Incident[] = []
  for (const begin of all) incidents.push(await begin(scene))
  return incidents
}

async function serverDown({ shared, victim }: Scene): Promise<Incident> {
  const at = await start(shared, relayed(2201, `${server}:${victim.port}`))
  keepTransferring(shared, ['client', 'other'], `ftp://${address}:2201/`)
  return {
    ...at,
    name: 'the server is down',
    alert: 'FtpAlgUpstreamUnreachable',
    page: /The server behind listener edge cannot be reached/,
    cause: () => victim.stop(),
  }
}

async function firewallDrops({ dropping }: Scene): Promise<Incident> {
  await dropping.gateway.forward(true)
  const at = await startIntercepting(dropping)
  await dropping.gateway.run(['nft', 'add', 'table', 'inet', 'site'])
  const chain = 'add chain inet site forward { type filter hook forward priority 0; }'
  await dropping.gateway.run(['nft', chain])
  keepTransferring(dropping, ['client', 'other'], `ftp://${server}/`)
  return {
    ...at,
    name: 'a firewall chain drops the data connections',
    alert: 'FtpAlgFirewallDropsData',
    page: /The forward chain of this machine’s firewall drops data connections/,
    cause: async () => {
      const rule = 'iifname side1 tcp dport 1024-65535 ct state new drop'
      await runOrThrow(['nft', `insert rule inet site forward ${rule}`], { place: dropping.gateway })
    },
  }
}

async function portsExhausted({ shared }: Scene): Promise<Incident> {
  const at = await start(
    shared,
    `listeners: [{ name: edge, listen: '0.0.0.0:2203', upstream: '${server}:21' }]
dataPorts: 29000-29003
limits: { pinholesPerClient: 4 }
log: { level: warn }
`,
  )
  return {
    ...at,
    name: 'the data ports are exhausted',
    alert: 'FtpAlgPortPoolExhausted',
    page: /Data ports: 4 of 4 in use/,
    // Clients that log in and ask for a port, and never come.
    cause: async () => {
      const sessions = await Promise.all(
        Array.from({ length: 6 }, () => loggedIn(shared.host('client'), 2203)),
      )
      for (const session of sessions) await session.ask('PASV')
    },
  }
}

async function attacker({ shared }: Scene): Promise<Incident> {
  const at = await start(shared, relayed(2204, `${server}:21`))
  keepTransferring(shared, ['client'], `ftp://${address}:2204/`)
  return {
    ...at,
    name: 'an attacker bounces and scans',
    alert: 'FtpAlgBounceAttempts',
    page: /PORT or EPRT named another host/,
    cause: async () => {
      const script = `while :; do
  { printf 'USER ${account.user}\\r\\nPASS ${account.password}\\r\\n'; sleep .5
    for n in 1 2 3 4 5; do printf 'PORT 10,77,2,99,200,1\\r\\n'; sleep .2; done; printf 'QUIT\\r\\n'; sleep .3; } |
  bash -c 'exec 3<>/dev/tcp/${address}/2204; cat >&3' 2>/dev/null
  curl -sS -m 2 -o /dev/null http://${address}:2204/ 2>/dev/null
  sleep 1
done`
      shared.host('other').start(['sh', '-c', script])
    },
  }
}

async function diskFull({ shared, folder }: Scene): Promise<Incident> {
  const disk = join(folder, 'disk')
  await mkdir(disk)
  await runOrThrow(['mount', '-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', disk])
  const log = `log: { level: warn, transfers: { file: ${disk}/transfers.log } }`
  const at = await start(shared, relayed(2205, `${server}:21`).replace('log: { level: warn }', log))
  keepTransferring(shared, ['client', 'other'], `ftp://${address}:2205/file.bin`)
  return {
    ...at,
    name: 'the disk of the transfer log is full',
    alert: 'FtpAlgTransferLogFailing',
    page: /The transfer log .* cannot be written: no space left on device/,
    cause: async () => {
      await shared.gateway.run(['dd', 'if=/dev/zero', `of=${disk}/filler`, 'bs=1k', 'count=64'])
    },
  }
}

async function interceptionFlushed({ flushed }: Scene): Promise<Incident> {
  await flushed.gateway.forward(true)
  const at = await startIntercepting(flushed)
  keepTransferring(flushed, ['client', 'other'], `ftp://${server}/`)
  return {
    ...at,
    name: 'the rules of the interception are flushed',
    alert: 'FtpAlgInterceptionMissing',
    page: /Nothing is intercepted/,
    cause: async () => {
      await runOrThrow(['nft', 'flush', 'ruleset'], { place: flushed.gateway })
    },
  }
}

/** The kernel has one limit for all namespaces: here the process sees another file in its place. */
async function conntrackFull({ shared, folder }: Scene): Promise<Incident> {
  const limit = join(folder, 'nf_conntrack_max')
  await writeFile(limit, '20000\n')
  const path = '/proc/sys/net/netfilter/nf_conntrack_max'
  const place = {
    name: 'the gateway with another limit',
    command: (argv: readonly string[]) =>
      shared.gateway.command([
        'unshare',
        '--mount',
        'sh',
        '-c',
        `mount --bind ${limit} ${path} && exec "$@"`,
        'sh',
        ...argv,
      ]),
  }
  const more = 'pinholes: { backend: nftables, table: ftp_alg_full }'
  const at = await start(shared, relayed(2207, `${server}:21`, more), { place })
  keepTransferring(shared, ['client'], `ftp://${address}:2207/`)
  return {
    ...at,
    name: 'connection tracking is full',
    alert: 'FtpAlgConntrackNearlyFull',
    page: /The kernel’s connection tracking is (nearly )?full/,
    // Datagrams to so many ports, each a connection to the kernel.
    cause: async () => {
      const script = `import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for port in range(1024, 21024): s.sendto(b'x', ('${server}', port))`
      await shared.gateway.run(['sysctl', '-q', '-w', 'net.netfilter.nf_conntrack_udp_timeout=600'])
      await shared.gateway.run(['python3', '-c', script])
    },
  }
}

async function addressLimit({ shared, limitedPort }: Scene): Promise<Incident> {
  const at = await start(shared, relayed(2208, `${server}:${limitedPort}`))
  keepTransferring(shared, ['client', 'other'], `ftp://${address}:2208/`)
  return {
    ...at,
    name: 'the server’s limit for one address',
    alert: 'FtpAlgServerSendsAway',
    page: /got no further than the server’s greeting/,
    // As many sessions as the server lets one address have.
    cause: async () => {
      for (let count = 0; count < 4; count += 1) {
        await loggedIn(shared.host('client'), 2208).catch(() => undefined)
      }
    },
  }
}

async function startIntercepting(network: Network) {
  await applyInterception(network, intercepting())
  return start(network, intercepting())
}

async function loggedIn(host: Host, port: number) {
  const session = await openControlConnection({ address, port }, host)
  await session.login()
  return session
}
