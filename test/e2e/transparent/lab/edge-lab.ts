// Client – gateway – server, with an attacker on the client's network and a bystander on the server's; the gateway
// drops what nobody has allowed. Everything of ftp-alg is run as its user runs it: `firewall --apply`, then `run`.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { clientTree } from '../../../support/clients/client.ts'
import { curl } from '../../../support/clients/curl.ts'
import { debianTree } from '../../../support/debian.ts'
import { createNetwork, type Family, type Network } from '../../../support/netns.ts'
import { type Ran, runOrThrow } from '../../../support/programs.ts'
import { type RunningProxy, startProxy } from '../../../support/proxy.ts'
import { createSamples, type Samples } from '../../../support/samples.ts'
import { startServer } from '../../../support/servers/all.ts'
import { type FtpServer, type ServerKind, serverPackages } from '../../../support/servers/server.ts'
import { type Attempt, attemptTransfers, shareSamples } from '../../../support/transfers.ts'

/** The programs as their users start them. */
export const ftpAlg = [process.execPath, new URL('../../../../dist/main.js', import.meta.url).pathname]

export const families: readonly Family[] = ['ipv4', 'ipv6']

/** Where br_netfilter is not loaded, there is nothing to switch off. */
const unbridge =
  'for knob in /proc/sys/net/bridge/bridge-nf-call-ip*tables; do [ ! -e "$knob" ] || echo 0 >"$knob"; done'

export interface LabPlan {
  /** Servers on the outside, each on a host of its name. */
  readonly servers: readonly ServerKind[]
  /** Hosts on the client's side besides `client` and `attacker`; the same for the other side. */
  readonly inside?: readonly string[]
  readonly outside?: readonly string[]
}

type LabAttempt = Pick<Attempt, 'family' | 'mode' | 'target'> &
  Partial<Pick<Attempt, 'client' | 'server' | 'place'>>

export class EdgeLab {
  readonly network: Network
  readonly samples: Samples
  readonly servers: ReadonlyMap<string, FtpServer>
  /** Removed at the end. */
  readonly folder: string

  static async create({ servers, inside = [], outside = [] }: LabPlan): Promise<EdgeLab> {
    await Promise.all([clientTree(), debianTree(serverPackages)])
    const network = await createNetwork({
      inside: ['client', 'attacker', ...inside],
      outside: [...servers, 'bystander', ...outside],
    })
    const { gateway } = network
    await gateway.forward(true)
    // The links of this lab are one bridge a side; rules that saw packets while they are bridged would break tproxy.
    await runOrThrow(['sh', '-c', unbridge], { place: gateway })
    const running = new Map<string, FtpServer>()
    const samples = await createSamples()
    for (const kind of servers) {
      const server = await startServer(kind, {
        place: network.host(kind),
        address: '::',
        port: 21,
        passivePorts: { first: 40_000, last: 49_999 },
      })
      running.set(kind, server)
      await shareSamples(server, samples)
    }
    return new EdgeLab(network, samples, running, await mkdtemp(join(tmpdir(), 'ftp-alg-edge-')))
  }

  private constructor(
    network: Network,
    samples: Samples,
    servers: ReadonlyMap<string, FtpServer>,
    folder: string,
  ) {
    this.network = network
    this.samples = samples
    this.servers = servers
    this.folder = folder
  }

  address(host: string, family: Family = 'ipv4'): string {
    const [address] = this.network.host(host).addresses[family]
    if (address === undefined) throw new Error(`${host} has no address`)
    return address
  }

  server(host: string): FtpServer {
    const server = this.servers.get(host)
    if (server === undefined) throw new Error(`no server runs on ${host}`)
    return server
  }

  /** One of `ftp-alg`'s commands on the gateway, with a configuration file. */
  async command(argv: readonly string[], config: string): Promise<Ran> {
    const file = join(this.folder, 'config.yaml')
    await writeFile(file, config)
    return this.network.gateway.run([...ftpAlg, ...argv, '--config', file])
  }

  /** `firewall --apply`, then `run`. The administrator's own rules stay as they are. */
  async start(config: string): Promise<RunningProxy> {
    const applied = await this.command(['firewall', '--apply'], config)
    if (applied.exitCode !== 0) throw new Error(`firewall --apply: ${applied.stderr}`)
    return startProxy({ place: this.network.gateway, config })
  }

  /** Stops the proxy and takes its rules away. */
  async end(proxy: RunningProxy | undefined, config: string): Promise<void> {
    await proxy?.stop()
    await this.command(['firewall', '--remove'], config)
  }

  /** Every kind of transfer but 50 MiB, by curl with vsftpd from the inside unless `attempt` says otherwise; gives what went wrong. */
  attempt(attempt: LabAttempt): Promise<readonly string[]> {
    const { samples, network } = this
    const usual = {
      client: curl,
      server: this.servers.get('vsftpd'),
      place: network.host('client'),
      large: false,
    }
    const { server, ...rest } = { ...usual, ...attempt }
    if (server === undefined) throw new Error('no vsftpd runs in this lab')
    return attemptTransfers({ samples, server, ...rest })
  }

  async nft(...argv: readonly string[]): Promise<string> {
    return runOrThrow(['nft', ...argv], { place: this.network.gateway })
  }

  /** Conntrack knows no connection any more, and no port. */
  async forgetConnections(): Promise<void> {
    await runOrThrow(['conntrack', '-F'], { place: this.network.gateway })
  }

  /** The same, and how many control connections it had. */
  async forgetControl(): Promise<number> {
    const control = ['conntrack', '-L', '-p', 'tcp', '--dport', '21']
    const { stdout } = await this.network.gateway.run(control)
    await this.forgetConnections()
    return stdout.split('\n').filter((line) => line !== '').length
  }

  /** Everything that a pinhole has left in our tables and, where there are such, the administrator's sets. */
  async elements(): Promise<readonly string[]> {
    const rules = await this.nft('list', 'ruleset')
    return [...rules.matchAll(/elements = \{([^}]*)\}/g)].map(([, elements = '']) => elements.trim())
  }

  async close(): Promise<void> {
    for (const server of this.servers.values()) await server.stop()
    await this.network.close()
    for (const folder of [this.samples.folder, this.folder])
      await rm(folder, { recursive: true, force: true })
  }
}
