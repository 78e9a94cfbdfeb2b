// `ftp-alg firewall`: the static rules that a configuration needs, as a script to read, keep or run; --apply and
// --remove do the same without the script. Only tables and routes with our name are ever touched.

import type { Config } from '../config/config.ts'
import { AlgError } from '../errors.ts'
import { foreignFamilies, INTERCEPT_TABLE, interceptTable, markOf } from '../kernel/interception.ts'
import { type Nft, openNft } from '../kernel/nft.ts'
import { applyPolicyRoute, policyRouteCommands, removePolicyRoute } from '../kernel/policy-route.ts'
import { requireNetAdmin } from '../kernel/privilege.ts'
import { isOurTable } from '../pinhole/nftables/table.ts'
import { adviceOn } from './firewall-advice.ts'

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
    const done = action === 'apply' ? await apply(config, nft) : await remove(nft)
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
  if (table === null) lines.push('# No listener intercepts: no static rules are needed.', '')
  else lines.push("nft -f - <<'RULES'", replaceTable(table).trimEnd(), 'RULES', '')
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
function replaceTable(table: string): string {
  return `add table ${INTERCEPT_TABLE}\ndelete table ${INTERCEPT_TABLE}\n${table}`
}

async function apply(config: Config, nft: Nft): Promise<readonly string[]> {
  const done: string[] = []
  const table = interceptTable(config)
  const before = listTable(nft, INTERCEPT_TABLE)
  if (table !== null) {
    nft.run(replaceTable(table), 'KERNEL_FEATURE_MISSING')
    if (listTable(nft, INTERCEPT_TABLE) !== before) done.push(`nft: table ${INTERCEPT_TABLE} is in place`)
  } else if (before !== null) {
    nft.run(`delete table ${INTERCEPT_TABLE}`)
    done.push(`nft: table ${INTERCEPT_TABLE} is gone: no listener intercepts`)
  }
  const wanted = foreignFamilies(config)
  for (const family of [4, 6] as const) {
    const commands = wanted.includes(family)
      ? await applyPolicyRoute(family, markOf(config))
      : await removeLeftovers(family)
    done.push(...commands)
  }
  return done
}

async function remove(nft: Nft): Promise<readonly string[]> {
  const done: string[] = []
  for (const table of ourTables(nft)) {
    nft.run(`delete table ${table}`)
    done.push(`nft: table ${table} is gone`)
  }
  for (const family of [4, 6] as const) done.push(...(await removeLeftovers(family)))
  return done
}

/** Of every process of ours that ran on this machine: `inet ftp_alg_intercept`, `ip ftp_alg`, `ip6 ftp_alg_30500`. */
function ourTables(nft: Nft): readonly string[] {
  const tables = nft.run('list tables').split('\n')
  return tables.flatMap((line) => {
    const [, family, name = ''] = line.split(' ')
    const named = `${family} ${name}`
    const isPinholes = (family === 'ip' || family === 'ip6') && isOurTable(name)
    return named === INTERCEPT_TABLE || isPinholes ? [named] : []
  })
}

/** A machine without IPv6, or without iproute2, has no route of ours either. */
async function removeLeftovers(family: 4 | 6): Promise<readonly string[]> {
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
