// Whether the rules are in place, and whether somebody else's get in the way.

import { readFileSync } from 'node:fs'
import type { Config } from '../../config/config.ts'
import { foreignFamilies, INTERCEPT_TABLE, interceptTable, markOf } from '../../kernel/interception.ts'
import { askIp } from '../../kernel/iproute.ts'
import { hexMark } from '../../kernel/mark.ts'
import type { Nft } from '../../kernel/nft.ts'
import { readPolicyRoute } from '../../kernel/policy-route.ts'
import { isOurTable } from '../../pinhole/nftables/table.ts'
import { type Finding, fail, type Needs, needsOf, ok, warn } from './finding.ts'
import { readSysctl } from './settings.ts'

const applyCure = 'ftp-alg firewall --apply with the same --config'

/** Our static rules and routes. */
export async function checkInterception(config: Config, nft: Nft): Promise<readonly Finding[]> {
  const findings: Finding[] = []
  if (interceptTable(config) !== null) findings.push(checkTable(nft))
  for (const listener of config.listeners) {
    const { address, port } = listener.listen
    const isLoopback = address.startsWith('127.') || address === '::1'
    const isAny = address === '0.0.0.0' || address === '::'
    const check = `listener ${listener.name}`
    if (listener.intercept === 'redirect' && isLoopback) {
      findings.push(
        fail(
          check,
          `redirected connections cannot arrive at ${address}`,
          'listen: 0.0.0.0 or [::], same port',
        ),
      )
    } else if (listener.intercept === 'tproxy' && isAny) {
      const found = `listens on every address, so connections to anybody’s port ${port} that pass here are taken`
      findings.push(warn(check, found, `listen: 127.0.0.1:${port}, and a listener on [::1]:${port} for IPv6`))
    }
  }
  if (needsOf(config).tproxy) findings.push(await checkBridges())
  for (const family of foreignFamilies(config)) findings.push(await checkRoute(family, markOf(config)))
  return findings
}

/** Whether the running process has made its tables. */
export function tablesExist(nft: Nft): boolean {
  const names = nft.run('list tables').split('\n')
  return names.some((line) => line.startsWith('table ip ') && isOurTable(line.slice('table ip '.length)))
}

function hasTable(nft: Nft, table: string): boolean {
  return nft.refusal(`list table ${table}`) === null
}

function checkTable(nft: Nft): Finding {
  if (hasTable(nft, INTERCEPT_TABLE)) {
    return ok('interception rules', `table ${INTERCEPT_TABLE} is loaded`)
  }
  return fail(
    'interception rules',
    `table ${INTERCEPT_TABLE} is not loaded: nobody is brought here`,
    applyCure,
  )
}

/** Rules that see packets while they are bridged see them only then, and what tproxy decides there is forgotten. */
async function checkBridges(): Promise<Finding> {
  const check = 'bridges'
  const knobs = ['net.bridge.bridge-nf-call-iptables', 'net.bridge.bridge-nf-call-ip6tables']
  const wrong = knobs.filter((knob) => readSysctl(knob) === '1')
  const bridges = await askIp(['-json', 'link', 'show', 'type', 'bridge']).catch(() => [])
  const names = bridges.map(({ ifname }) => String(ifname)).join(', ')
  if (names === '') return ok(check, 'there are none')
  if (wrong.length === 0) return ok(check, `${names}: packets meet the rules when they are routed`)
  const found = `${names}: ${wrong.join(' and ')}: 1, so that tproxy does not work for who is behind them`
  return fail(check, found, `sysctl -w ${wrong.map((knob) => `${knob}=0`).join(' ')}`)
}

async function checkRoute(family: 4 | 6, mark: number): Promise<Finding> {
  const check = `return route IPv${family}`
  try {
    const { marks, hasLocalDefault } = await readPolicyRoute(family)
    if (marks.includes(mark) && hasLocalDefault) {
      return ok(check, `packets with mark ${hexMark(mark)} are delivered here`)
    }
    const missing = marks.includes(mark) ? 'the route' : `the rule for mark ${hexMark(mark)}`
    return fail(check, `${missing} is missing: what is meant for our sockets goes astray`, applyCure)
  } catch (error) {
    return fail(check, error instanceof Error ? error.message : String(error), 'install iproute2')
  }
}

/** A statement or chain as nft prints it in JSON, as far as it is looked at. */
interface RuleSetEntry {
  readonly chain?: {
    readonly family?: unknown
    readonly table?: unknown
    readonly name?: unknown
    readonly hook?: unknown
    readonly policy?: unknown
  }
  readonly rule?: {
    readonly family?: unknown
    readonly table?: unknown
    readonly chain?: unknown
    readonly expr?: unknown
  }
  readonly 'ct helper'?: { readonly type?: unknown; readonly table?: unknown }
}

/** Other people's rules: what drops our connections, and the kernel's own FTP helper. */
export function checkForeignRules(config: Config, nft: Nft): readonly Finding[] {
  let entries: readonly RuleSetEntry[]
  try {
    const { nftables } = nft.json('list ruleset') as { readonly nftables?: readonly RuleSetEntry[] }
    entries = nftables ?? []
  } catch (error) {
    return [
      warn(
        'your firewall',
        `its rules cannot be read: ${error instanceof Error ? error.message : error}`,
        'run as root',
      ),
    ]
  }
  return [checkHelper(entries), ...checkChains(config, entries)]
}

/** nf_conntrack_ftp would translate the endpoints that we have translated already, and open holes of its own. */
function checkHelper(entries: readonly RuleSetEntry[]): Finding {
  const check = 'kernel FTP helper'
  if (readSysctl('net.netfilter.nf_conntrack_helper') === '1') {
    const found = 'net.netfilter.nf_conntrack_helper is 1: the kernel rewrites FTP on port 21 too'
    return fail(check, found, 'sysctl -w net.netfilter.nf_conntrack_helper=0')
  }
  const helper = entries.find((entry) => entry['ct helper']?.type === 'ftp')?.['ct helper']
  if (helper !== undefined) {
    return fail(check, `table ${helper.table} has a ct helper for ftp`, 'remove it and the rules that set it')
  }
  const xt = entries.find(({ rule }) => JSON.stringify(rule?.expr ?? null).includes('"name":"CT"'))?.rule
  if (xt !== undefined) {
    const found = `table ${xt.table}, chain ${xt.chain} has a CT target of iptables, which may set the helper`
    return warn(check, found, 'iptables -t raw -S, and remove what says --helper ftp')
  }
  return ok(check, 'not active')
}

/** Chains that drop by default and know nothing of our mark, nor of the sets that we fill for them. */
function checkChains(config: Config, entries: readonly RuleSetEntry[]): readonly Finding[] {
  const mark = markOf(config)
  const { ipv4 = null, ipv6 = null } = config.pinholes.admit ?? {}
  const sets = [ipv4, ipv6].flatMap((name) => (name === null ? [] : [`"@${name.split(' ')[2]}"`]))
  const hooks = hooksOf(needsOf(config))
  const findings: Finding[] = []
  for (const { chain } of entries) {
    const hook = String(chain?.hook)
    if (chain?.policy !== 'drop' || !hooks.includes(hook)) continue
    const rules = rulesReachedFrom(chain, entries)
    const isToldOf = rules.some(
      (rule) =>
        (rule.includes('"ct":{"key":"mark"}') && rule.includes(`"right":${mark}`)) ||
        rule.includes('"name":"connmark"') ||
        sets.some((set) => rule.includes(set)),
    )
    const name = `${chain.family} ${chain.table} ${chain.name}`
    findings.push(
      isToldOf
        ? ok(`your ${hook} chain`, `${name} drops by default and knows our mark`)
        : fail(
            `your ${hook} chain`,
            `${name} drops by default and does not accept ct mark ${hexMark(mark)}`,
            `nft insert rule ${name} ct mark ${hexMark(mark)} accept`,
          ),
    )
  }
  if (legacyFilters()) {
    const cure = `iptables -I FORWARD -m connmark --mark ${hexMark(mark)} -j ACCEPT, and the same for INPUT`
    findings.push(warn('your firewall', 'rules of iptables-legacy exist and cannot be judged here', cure))
  }
  return findings
}

/** The rules of a chain and of every chain it jumps to, as JSON text. */
function rulesReachedFrom(
  start: NonNullable<RuleSetEntry['chain']>,
  entries: readonly RuleSetEntry[],
): string[] {
  const chains = new Set([start.name])
  const rules: string[] = []
  // A set that grows while it is walked: chains found on the way are walked too.
  for (const name of chains) {
    for (const { rule } of entries) {
      if (rule?.family !== start.family || rule?.table !== start.table || rule?.chain !== name) continue
      const text = JSON.stringify(rule?.expr)
      rules.push(text)
      for (const [, target] of text.matchAll(/"(?:jump|goto)":\{"target":"([^"]+)"\}/g)) chains.add(target)
    }
  }
  return rules
}

/** At which hooks our connections appear. */
function hooksOf({ kernel, forwarding }: Needs): readonly string[] {
  if (!kernel) return []
  return forwarding ? ['input', 'forward'] : ['input']
}

function legacyFilters(): boolean {
  try {
    return readFileSync('/proc/self/net/ip_tables_names', 'latin1').split('\n').includes('filter')
  } catch {
    return false
  }
}
