// `ftp-alg firewall`: the static rules that a configuration needs, as a script to read, keep or run; --apply and
// --remove do the same without the script. Only tables and routes with our name are ever touched.

import type { Config } from '../config/config.ts'
import { AlgError } from '../errors.ts'
import { adviceOn } from '../firewall/advice.ts'
import { foreignFamilies, interceptTable, markOf } from '../firewall/intercept-table.ts'
import { applyPolicyRoute, policyRouteCommands, removePolicyRoute } from '../firewall/policy-route.ts'
import {
  interceptTableOf,
  otherInterceptTablesIn,
  pinholeTablesIn,
  tableOf,
} from '../firewall/table-names.ts'
import { type Nft, openNft } from '../kernel/nft.ts'
import { requireNetAdmin } from '../kernel/privilege.ts'

export interface FirewallOptions {
  /** `print` touches nothing. */
  readonly action: 'print' | 'apply' | 'remove'
  readonly stdout: { write(text: string): unknown }
}

/**
 * Prints, applies or removes; gives the exit code 0. Applying twice, or removing what is not there, changes
 * nothing and says so.
 *
 * Errors: `AlgError` PRIVILEGE_MISSING, KERNEL_FEATURE_MISSING (exit 3), RUNTIME_FAILED (1), with nft's words.
 */
export async function firewall(config: Config, { action, stdout }: FirewallOptions): Promise<0> {
  const say = (line: string) => stdout.write(`${line}\n`)
  if (action === 'print') {
    stdout.write(firewallScript(config))
    return 0
  }
  requireNetAdmin(`ftp-alg firewall --${action}`)
  const nft = await openNft()
  try {
    const done = action === 'apply' ? await apply(config, nft) : await remove(config, nft)
    for (const line of done) say(line)
    if (done.length === 0) say(action === 'apply' ? 'nothing to do: all is in place' : 'nothing to remove')
    return 0
  } finally {
    nft.close()
  }
}

/** A script for sh that can be run again and again. */
export function firewallScript(config: Config): string {
  const table = interceptTable(config)
  const lines = [
    '#!/bin/sh',
    '# Made by `ftp-alg firewall`. Running it again replaces what it made before.',
    'set -e',
    '',
  ]
  if (table === null)
    lines.push('# No listener intercepts, and none has source: client: no static rules are needed.', '')
  else lines.push("nft -f - <<'RULES'", replaceTable(interceptTableOf(config), table).trimEnd(), 'RULES', '')
  for (const family of foreignFamilies(config)) {
    const [rule = [], route = []] = policyRouteCommands(family, markOf(config))
    const [ip, flag] = rule
    const which = rule.slice(4, 6).join(' ')
    lines.push(`# IPv${family}: packets with the mark are delivered here, whatever their destination.`)
    lines.push(`${ip} ${flag} rule list ${which} | grep -q . || ${rule.join(' ')}`)
    lines.push(route.join(' '), '')
  }
  for (const advice of adviceOn(config)) lines.push(advice === '' ? '#' : `# ${advice}`)
  return `${lines.join('\n').trimEnd()}\n`
}

/** Replaces a table in one transaction, whether it was there or not. */
function replaceTable(name: string, table: string): string {
  return `add table ${name}\ndelete table ${name}\n${table}`
}

async function apply(config: Config, nft: Nft): Promise<readonly string[]> {
  const done: string[] = []
  const name = interceptTableOf(config)
  const table = interceptTable(config)
  const before = listTable(nft, name)
  if (table !== null) {
    nft.run(replaceTable(name, table), 'KERNEL_FEATURE_MISSING')
    if (listTable(nft, name) !== before) done.push(`nft: table ${name} is in place`)
  } else if (before !== null) {
    nft.run(`delete table ${name}`)
    done.push(`nft: table ${name} is gone: no listener intercepts`)
  }
  const isShared = isRouteShared(config, nft)
  const wanted = foreignFamilies(config)
  for (const family of [4, 6] as const) {
    const commands = wanted.includes(family)
      ? await applyPolicyRoute(family, { mark: markOf(config), isShared })
      : await removeLeftovers(family, isShared)
    done.push(...commands)
  }
  return done
}

/** What this configuration's instance has, its workers' tables too: `inet ftp_alg_intercept`, `ip6 ftp_alg_30500`. */
async function remove(config: Config, nft: Nft): Promise<readonly string[]> {
  const done: string[] = []
  const listed = nft.run('list tables')
  const intercept = interceptTableOf(config)
  const pinholes = pinholeTablesIn(listed, tableOf(config)).map(({ family, name }) => `${family} ${name}`)
  const isIntercepting = listed.split('\n').includes(`table ${intercept}`)
  for (const table of isIntercepting ? [intercept, ...pinholes] : pinholes) {
    nft.run(`delete table ${table}`)
    done.push(`nft: table ${table} is gone`)
  }
  const isShared = isRouteShared(config, nft)
  for (const family of [4, 6] as const) done.push(...(await removeLeftovers(family, isShared)))
  return done
}

/** Whether another instance on this machine intercepts: the rules and the route of tproxy are one for all. */
function isRouteShared(config: Config, nft: Nft): boolean {
  return otherInterceptTablesIn(nft.run('list tables'), interceptTableOf(config)).length > 0
}

/** A machine without IPv6, or without iproute2, has no route of ours either. */
async function removeLeftovers(family: 4 | 6, isShared: boolean): Promise<readonly string[]> {
  if (isShared) return []
  try {
    return await removePolicyRoute(family)
  } catch (error) {
    if (error instanceof AlgError && error.code === 'PRIVILEGE_MISSING') throw error
    return []
  }
}

function listTable(nft: Nft, table: string): string | null {
  try {
    return nft.run(`list table ${table}`)
  } catch {
    return null
  }
}
