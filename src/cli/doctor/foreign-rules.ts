// Whether other people's rules get in our way: chains that drop what they do not know, the kernel's FTP helper.

import { readFileSync } from 'node:fs'
import type { Config } from '../../config/config.ts'
import { markOf } from '../../firewall/intercept-table.ts'
import { hexMark } from '../../firewall/mark.ts'
import { DEFAULT_TABLE, tableOf } from '../../firewall/table-names.ts'
import type { Nft } from '../../kernel/nft.ts'
import { type Finding, fail, type Needs, needsOf, ok, warn } from './finding.ts'
import { checkOpenPorts } from './open-ports.ts'
import { type BaseChain, checkOrder } from './order.ts'
import { readSysctl } from './settings.ts'

interface Chain {
  readonly family?: unknown
  readonly table?: unknown
  readonly name?: unknown
  readonly hook?: unknown
  readonly type?: unknown
  readonly policy?: unknown
}

interface Rule {
  readonly family?: unknown
  readonly table?: unknown
  readonly chain?: unknown
  readonly handle?: unknown
  readonly expr?: unknown
}

/** An entry of a rule set as nft prints it in JSON, as far as it is looked at; rules follow in their order. */
interface RuleSetEntry {
  readonly chain?: Chain
  readonly rule?: Rule
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
  const own = needsOf(config).kernel ? [checkHelper(entries), ...checkChains(config, entries)] : []
  return [...own, ...checkInput(config, entries), ...checkOrder(config, baseChains(config, entries))]
}

/** Chains of others that packets pass; those with rules of iptables cannot be judged. */
function baseChains(config: Config, entries: readonly RuleSetEntry[]): readonly BaseChain[] {
  const own = [tableOf(config), DEFAULT_TABLE]
  return entries.flatMap(({ chain }) => {
    if (chain?.hook === undefined || own.some((name) => String(chain.table).startsWith(name))) return []
    const rulesOf = (name: string) =>
      entries.flatMap(({ rule }) => {
        if (rule === undefined || !isInChain(rule, chain, name) || !Array.isArray(rule.expr)) return []
        return [{ handle: Number(rule.handle), expr: rule.expr as readonly unknown[] }]
      })
    if (rulesReachedFrom(chain, entries).some((rule) => rule.includes('"xt":'))) return []
    return [
      {
        name: `${chain.family} ${chain.table} ${chain.name}`,
        ownName: String(chain.name),
        hook: String(chain.hook),
        type: String(chain.type),
        dropsByDefault: dropsByDefault(chain, entries),
        rulesOf,
      },
    ]
  })
}

/** Input chains that drop by default, and what comes to our ports with nothing else to tell it. */
function checkInput(config: Config, entries: readonly RuleSetEntry[]): readonly Finding[] {
  return entries.flatMap(({ chain }) => {
    if (chain === undefined || chain.hook !== 'input' || !dropsByDefault(chain, entries)) return []
    const name = `${chain.family} ${chain.table} ${chain.name}`
    return checkOpenPorts(config, { chain: name, rules: rulesReachedFrom(chain, entries) })
  })
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
  const marked = new RegExp(`"right":${mark}\\b`)
  const findings: Finding[] = []
  for (const { chain } of entries) {
    const hook = String(chain?.hook)
    if (chain === undefined || !hooks.includes(hook) || !dropsByDefault(chain, entries)) continue
    const isToldOf = rulesReachedFrom(chain, entries).some(
      (rule) =>
        (rule.includes('"ct":{"key":"mark"}') && marked.test(rule)) ||
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

/** By its policy, or because its last rule drops or rejects whatever comes so far. */
function dropsByDefault(chain: Chain, entries: readonly RuleSetEntry[]): boolean {
  if (chain.policy === 'drop') return true
  const last = entries.findLast(({ rule }) => rule !== undefined && isInChain(rule, chain, chain.name))?.rule
  const statements: readonly unknown[] = Array.isArray(last?.expr) ? last.expr : []
  const words = statements.map((statement) => Object.keys(Object(statement))[0] ?? '')
  const isUnconditional = words.every((word) => ['counter', 'log', 'drop', 'reject'].includes(word))
  return isUnconditional && words.some((word) => word === 'drop' || word === 'reject')
}

function isInChain(rule: Rule, { family, table }: Chain, name: unknown): boolean {
  return rule.family === family && rule.table === table && rule.chain === name
}

/** The rules of a chain and of every chain it jumps to, as JSON text. */
function rulesReachedFrom(start: Chain, entries: readonly RuleSetEntry[]): string[] {
  const chains = new Set([start.name])
  const rules: string[] = []
  // A set that grows while it is walked: chains found on the way are walked too.
  for (const name of chains) {
    for (const { rule } of entries) {
      if (rule === undefined || !isInChain(rule, start, name)) continue
      const text = JSON.stringify(rule.expr)
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
