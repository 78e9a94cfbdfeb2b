// A small internet of network namespaces: hosts on the inside of a gateway, hosts on its outside. Every host is
// a real network stack with its own addresses, routes and nftables rules; nothing leaves the machine.
//
//   client, attacker …  ──(bridge)── gateway ──(bridge)──  server, bystander …
//     10.77.1.0/24          .1              .1               10.77.2.0/24
//     fd77:1::/64           ::1             ::1              fd77:2::/64

import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import {
  type Place,
  type ProgramOptions,
  type Ran,
  type RunningProgram,
  runOrThrow,
  runProgram,
  startProgram,
} from './programs.ts'

export type Family = 'ipv4' | 'ipv6'

/** A network namespace with its addresses. */
export interface Host extends Place {
  /** `{ ipv4: ['10.77.1.10', …], ipv6: ['fd77:1::10', …] }`: `addresses` of each, as asked for. */
  readonly addresses: Readonly<Record<Family, readonly string[]>>
  run(argv: readonly string[], options?: Omit<ProgramOptions, 'place'> & { timeoutMs?: number }): Promise<Ran>
  start(argv: readonly string[], options?: Omit<ProgramOptions, 'place'>): RunningProgram
  /** Replaces the host's nftables rules; '' removes all. */
  firewall(rules: string): Promise<void>
}

export interface Gateway extends Place {
  /** Its addresses towards the inside hosts and towards the outside hosts. */
  readonly inside: Readonly<Record<Family, string>>
  readonly outside: Readonly<Record<Family, string>>
  run: Host['run']
  start: Host['start']
  firewall: Host['firewall']
  /** Whether packets pass through the gateway (`net.ipv4.ip_forward` and its IPv6 twin). Off at first. */
  forward(on: boolean): Promise<void>
}

export interface Network {
  readonly gateway: Gateway
  /** Throws for a name that was not asked for. */
  host(name: string): Host
  /** Kills what still runs inside and removes the namespaces. Also happens when this process ends. */
  close(): Promise<void>
}

export interface NetworkPlan {
  /** Names of hosts on the client's side. */
  readonly inside: readonly string[]
  readonly outside: readonly string[]
  /**
   * How many addresses of each family a host has, 1 unless said: `{ server: 3 }` gives the first outside host
   * `10.77.2.10`, `.11` and `.12`. The second host of a side starts at `.20`.
   */
  readonly addresses?: Readonly<Record<string, number>>
}

/** Builds the namespaces, links, addresses and routes (through the gateway). */
export async function createNetwork(plan: NetworkPlan): Promise<Network> {
  removeLeftovers()
  networks += 1
  const prefix = `ftpalg${process.pid}x${networks}`
  const names = [...plan.inside, ...plan.outside]
  const close = async () => {
    process.off('exit', closeNow)
    for (const name of ['gateway', ...names]) await removeNamespace(`${prefix}-${name}`)
  }
  const closeNow = () => removeNow(`${prefix}-`)
  process.once('exit', closeNow)
  try {
    for (const name of ['gateway', ...names]) {
      await runOrThrow(['ip', 'netns', 'add', `${prefix}-${name}`])
      await ipBatch(`${prefix}-${name}`, ['link set lo up'])
      // Addresses count at once, without waiting for duplicate address detection.
      await sysctl(place(`${prefix}-${name}`), {
        'net.ipv6.conf.all.accept_dad': '0',
        'net.ipv6.conf.default.accept_dad': '0',
      })
    }
    const gateway = `${prefix}-gateway`
    const hosts = new Map<string, Host>()
    for (const [side, members] of [
      [1, plan.inside],
      [2, plan.outside],
    ] as const) {
      await ipBatch(gateway, [
        `link add side${side} type bridge`,
        `link set side${side} up`,
        `addr add 10.77.${side}.1/24 dev side${side}`,
        `addr add fd77:${side}::1/64 dev side${side} nodad`,
      ])
      for (const [index, name] of members.entries()) {
        const namespace = `${prefix}-${name}`
        const addresses = hostAddresses(side, index, plan.addresses?.[name] ?? 1)
        await ipBatch(gateway, [
          `link add s${side}h${index} type veth peer name eth0 netns ${namespace}`,
          `link set s${side}h${index} master side${side} up`,
        ])
        await ipBatch(namespace, [
          'link set eth0 up',
          ...addresses.ipv4.map((address) => `addr add ${address}/24 dev eth0`),
          ...addresses.ipv6.map((address) => `addr add ${address}/64 dev eth0 nodad`),
          // No default route: whoever asks a name server outside is told at once that it cannot be reached.
          `route add 10.77.0.0/16 via 10.77.${side}.1`,
          `route add fd77::/16 via fd77:${side}::1`,
        ])
        hosts.set(name, { ...place(namespace), addresses, ...actions(namespace) })
      }
    }
    return {
      gateway: {
        ...place(gateway),
        ...actions(gateway),
        inside: { ipv4: '10.77.1.1', ipv6: 'fd77:1::1' },
        outside: { ipv4: '10.77.2.1', ipv6: 'fd77:2::1' },
        forward: (on) =>
          sysctl(place(gateway), {
            'net.ipv4.ip_forward': on ? '1' : '0',
            'net.ipv6.conf.all.forwarding': on ? '1' : '0',
          }),
      },
      host: (name) => {
        const host = hosts.get(name)
        if (host === undefined) throw new Error(`no host ${name}; there are ${names.join(', ')}`)
        return host
      },
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

let networks = 0

function place(namespace: string): Place {
  return { name: namespace, command: (argv) => ['nsenter', `--net=/run/netns/${namespace}`, '--', ...argv] }
}

function actions(namespace: string): Pick<Host, 'run' | 'start' | 'firewall'> {
  const here = place(namespace)
  return {
    run: (argv, options) => runProgram(argv, { ...options, place: here }),
    start: (argv, options) => startProgram(argv, { ...options, place: here }),
    firewall: async (rules) => {
      await runOrThrow(['nft', '-f', '-'], { place: here, input: `flush ruleset\n${rules}\n` })
    },
  }
}

function hostAddresses(side: number, index: number, count: number): Host['addresses'] {
  const last = Array.from({ length: count }, (_, n) => 10 * (index + 1) + n)
  return { ipv4: last.map((n) => `10.77.${side}.${n}`), ipv6: last.map((n) => `fd77:${side}::${n}`) }
}

async function ipBatch(namespace: string, lines: readonly string[]): Promise<void> {
  await runOrThrow(['ip', '-n', namespace, '-batch', '-'], { input: `${lines.join('\n')}\n` })
}

async function sysctl(where: Place, values: Readonly<Record<string, string>>): Promise<void> {
  const assignments = Object.entries(values).map(([key, value]) => `${key}=${value}`)
  await runOrThrow(['sysctl', '-q', '-w', ...assignments], { place: where })
}

async function removeNamespace(namespace: string): Promise<void> {
  const pids = (await runProgram(['ip', 'netns', 'pids', namespace])).stdout
  for (const pid of pids.split('\n').filter(Boolean)) killQuietly(Number(pid))
  await runProgram(['ip', 'netns', 'delete', namespace])
}

/**
 * The same without waiting: for the end of the process, and for what a killed run left behind. Another test
 * process may be doing the same: what is gone already is no error.
 */
function removeNow(prefix: string): void {
  for (const namespace of namespaces().filter((name) => name.startsWith(prefix))) {
    const { stdout } = spawnSync('ip', ['netns', 'pids', namespace], { encoding: 'utf8' })
    for (const pid of stdout.split('\n').filter(Boolean)) killQuietly(Number(pid))
    spawnSync('ip', ['netns', 'delete', namespace])
  }
}

/** Namespaces are named after the process that made them: those of dead processes are removed. */
function removeLeftovers(): void {
  for (const namespace of namespaces()) {
    const [, pid] = /^ftpalg(\d+)x\d+-/.exec(namespace) ?? []
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) removeNow(namespace)
  }
}

function namespaces(): readonly string[] {
  return existsSync('/run/netns') ? readdirSync('/run/netns') : []
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended by itself.
  }
}
