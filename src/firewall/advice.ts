// What the administrator's own rules and settings must allow, in words and rules that can be copied.

import type { Config, ListenerConfig } from '../config/config.ts'
import { markOf } from './intercept-table.ts'
import { hexMark } from './mark.ts'
import { isElsewhere, tableOf } from './table-names.ts'

/** One line each, without the comment sign; empty ones separate. */
export function adviceOn(config: Config): readonly string[] {
  const intercepts = config.listeners.some(isElsewhere)
  const kernel = config.pinholes.backend === 'nftables'
  const marks = intercepts || kernel
  return [
    ...(marks ? runtimeTables(tableOf(config), kernel) : []),
    'A packet must be accepted by every chain that it meets. Where your own chains drop what they do not know, they need,',
    'beside the usual `ct state established,related accept`:',
    '',
    ...openListeners(config),
    ...(marks ? markedRules(config, kernel) : dataPortRules(config)),
    rule('output', 'nothing more', 'if this machine may connect to FTP servers and to high ports'),
    ...admitSets(config),
    ...shownClients(config),
    ...(marks ? ['', ...kernelSettings(kernel)] : []),
  ]
}

function runtimeTables(table: string, kernel: boolean): readonly string[] {
  const what = kernel ? 'Data connections pass' : 'Data connections are brought here'
  return [
    `${what} by elements of the tables ip ${table} and ip6 ${table}, which the running process makes and fills;`,
    '`ftp-alg firewall --remove` takes them away with the rest.',
    '',
  ]
}

function markedRules(config: Config, kernel: boolean): readonly string[] {
  const accept = `ct mark ${hexMark(markOf(config))} accept`
  const input = rule('input', accept, 'connections brought here, data connections that are relayed')
  return kernel ? [input, rule('forward', accept, 'data connections that the kernel forwards')] : [input]
}

/** Listeners that clients connect to by themselves. */
function openListeners({ listeners }: Config): readonly string[] {
  return listeners
    .filter(({ intercept }) => intercept === 'none')
    .map(({ name, listen }) => rule('input', `tcp dport ${listen.port} accept`, `listener ${name}`))
}

/** Without elements nothing but the port tells a data connection. */
function dataPortRules({ dataPorts }: Config): readonly string[] {
  const { client, server } = dataPorts
  const ranges = dataPorts.shared ? [client] : [client, server]
  const ports = ranges.map(({ first, last }) => `${first}-${last}`).join(', ')
  return [rule('input', `tcp dport { ${ports} } accept`, 'data connections; wrong peers are reset by us')]
}

function rule(chain: string, text: string, why: string): string {
  return `  ${`${chain}:`.padEnd(9)} ${text.padEnd(40)} # ${why}`
}

function admitSets({ listeners, pinholes }: Config): readonly string[] {
  const { ipv4 = null, ipv6 = null } = pinholes.admit ?? {}
  if (ipv4 === null && ipv6 === null) return []
  const each = (name: string | null, ip: string, address: string): readonly string[] => {
    const [family, table, set] = name?.split(' ') ?? []
    if (family === undefined || table === undefined || set === undefined) return []
    return [
      `  in table ${family} ${table}:  set ${set} { type ${address} . ${address} . inet_service; flags timeout; }`,
      `  input, forward:  ${ip} saddr . ${ip} daddr . tcp dport @${set} accept`,
    ]
  }
  // Listeners for the two families of tproxy need the same rule.
  const control = new Set(listeners.flatMap(interceptedRule))
  return [
    '',
    'Or, without the mark, by your own sets, to which every pinhole is added:',
    ...each(ipv4, 'ip', 'ipv4_addr'),
    ...each(ipv6, 'ip6', 'ipv6_addr'),
    ...[...control].map((text) => rule('input', text, 'control connections brought here')),
  ]
}

/** What tells the control connections that were brought to a listener from those that are made to it directly. */
function interceptedRule({ intercept, matches, listen }: ListenerConfig): readonly string[] {
  const ports = matches?.ports ?? [21]
  const caught = ports.length === 1 ? `${ports[0]}` : `{ ${ports.join(', ')} }`
  if (intercept === 'redirect') return [`tcp dport ${listen.port} ct original proto-dst ${caught} accept`]
  return intercept === 'tproxy' ? [`tcp dport ${caught} fib daddr type != local accept`] : []
}

/** What is not ours to set: the way back, and who else translates. */
function shownClients({ listeners }: Config): readonly string[] {
  if (!listeners.some(({ intercept, source }) => intercept === 'none' && source === 'client')) return []
  return [
    '',
    'Servers see their clients (source: client): their routes to clients must lead through this machine, and nothing may',
    'masquerade what goes to the servers. Clients on a network of the servers themselves cannot be served so.',
  ]
}

function kernelSettings(kernel: boolean): readonly string[] {
  const settings = ['net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1']
  if (kernel) settings.push('net.netfilter.nf_conntrack_acct=1 (our tables switch it on)')
  return [`Settings: ${settings.join(', ')}. \`ftp-alg doctor\` looks at all of this.`]
}
