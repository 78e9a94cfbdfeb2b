// Network namespaces: one for the client, one for the server, and one in the middle for each system under test, so that
// what one of them needs (conntrack, NAT rules, reserved ports) costs the others nothing.
//
//   client  10.71.k.2 ---- 10.71.k.1  middle k  10.72.k.1 ---- 10.72.k.2  server

import { isAlive } from './alive.ts'
import { command, tryCommand } from './command.ts'

export interface Network {
  readonly client: string
  readonly server: string
  middle(index: number): string
  addMiddle(index: number): Promise<void>
  remove(): Promise<void>
}

const prefix = 'ftpalg-bench-'

/** Data ports of every system; kept out of the ephemeral range, or a listener now and then finds its port taken. */
export const dataPorts = { first: 30_000, last: 39_999 } as const

const everywhere: Readonly<Record<string, string>> = {
  // What new namespaces inherit differs from machine to machine, and BBR paces with timers that cost more than the copies.
  // A kernel has it always and lets every namespace choose it; like CUBIC it does not pace.
  'net/ipv4/tcp_congestion_control': 'reno',
  'net/ipv4/ip_local_port_range': '1024 65000',
  'net/ipv4/tcp_tw_reuse': '1',
  'net/ipv4/tcp_max_tw_buckets': '500000',
  'net/ipv4/tcp_max_syn_backlog': '65535',
  'net/core/somaxconn': '65535',
  'net/ipv4/conf/all/rp_filter': '0',
  'net/ipv4/conf/default/rp_filter': '0',
}

const inTheMiddle: Readonly<Record<string, string>> = {
  'net/ipv4/ip_forward': '1',
  'net/ipv4/ip_local_reserved_ports': `${dataPorts.first}-${dataPorts.last}`,
  // By default the table of connections fills with the dead of the last two minutes.
  'net/netfilter/nf_conntrack_tcp_timeout_time_wait': '1',
  'net/netfilter/nf_conntrack_tcp_timeout_close': '1',
  'net/netfilter/nf_conntrack_tcp_timeout_last_ack': '1',
  'net/netfilter/nf_conntrack_tcp_timeout_fin_wait': '5',
}

/** Rejects when namespaces cannot be made here; the message says why. */
export async function createNetwork(): Promise<Network> {
  await removeStaleNetworks()
  const name = (role: string): string => `${prefix}${process.pid}-${role}`
  const [client, server] = [name('client'), name('server')]
  const middle = (index: number): string => name(`m${index}`)
  const made: string[] = []
  const add = async (namespace: string, settings: Readonly<Record<string, string>>): Promise<void> => {
    await command('ip', 'netns', 'add', namespace)
    made.push(namespace)
    await command('ip', '-n', namespace, 'link', 'set', 'lo', 'up')
    await setKernelSettings(namespace, settings)
  }
  const network: Network = {
    client,
    server,
    middle,
    async addMiddle(index) {
      await add(middle(index), { ...everywhere, ...inTheMiddle })
      await connect({ outer: client, middle: middle(index), net: `10.71.${index}`, index, label: 'c' })
      await connect({ outer: server, middle: middle(index), net: `10.72.${index}`, index, label: 's' })
      await command('ip', '-n', client, 'route', 'add', `10.72.${index}.0/24`, 'via', `10.71.${index}.1`)
      await command('ip', '-n', server, 'route', 'add', `10.71.${index}.0/24`, 'via', `10.72.${index}.1`)
    },
    async remove() {
      for (const namespace of made) await tryCommand('ip', ['netns', 'delete', namespace])
    },
  }
  try {
    await add(client, everywhere)
    await add(server, everywhere)
  } catch (error) {
    await network.remove()
    throw error
  }
  return network
}

interface Link {
  readonly outer: string
  readonly middle: string
  readonly net: string
  readonly index: number
  readonly label: 'c' | 's'
}

async function connect({ outer, middle, net, index, label }: Link): Promise<void> {
  const [outerEnd, middleEnd] = [`${label}${index}`, `m${index}${label}`]
  await command(
    'ip',
    'link',
    'add',
    outerEnd,
    'netns',
    outer,
    'type',
    'veth',
    'peer',
    'name',
    middleEnd,
    'netns',
    middle,
  )
  await command('ip', '-n', outer, 'address', 'add', `${net}.2/24`, 'dev', outerEnd)
  await command('ip', '-n', middle, 'address', 'add', `${net}.1/24`, 'dev', middleEnd)
  await command('ip', '-n', outer, 'link', 'set', outerEnd, 'up')
  await command('ip', '-n', middle, 'link', 'set', middleEnd, 'up')
}

/** Settings that this kernel does not have (conntrack is not loaded) are left alone. */
async function setKernelSettings(
  namespace: string,
  settings: Readonly<Record<string, string>>,
): Promise<void> {
  const script = Object.entries(settings)
    .map(([path, value]) => `if [ -w /proc/sys/${path} ]; then echo '${value}' > /proc/sys/${path}; fi`)
    .join('\n')
  await command('nsenter', `--net=/run/netns/${namespace}`, '--', '/bin/sh', '-c', script)
}

/** What runs left behind that were killed before they could tidy up: their namespaces, and the processes inside. */
async function removeStaleNetworks(): Promise<void> {
  const { stdout } = await tryCommand('ip', ['netns', 'list'])
  for (const line of stdout.split('\n')) {
    const name = line.split(' ')[0] ?? ''
    const owner = /^ftpalg-bench-(\d+)-/.exec(name)?.[1]
    if (owner === undefined || isAlive(Number(owner))) continue
    const inside = (await tryCommand('ip', ['netns', 'pids', name])).stdout.split('\n').filter(Boolean)
    for (const pid of inside) await tryCommand('kill', ['-KILL', pid])
    await tryCommand('ip', ['netns', 'delete', name])
  }
}
