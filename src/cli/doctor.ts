// `ftp-alg doctor`: can this machine do what the configuration asks? One line a check, with the cure.

import type { Config } from '../config/config.ts'
import { openNft } from '../kernel/nft.ts'
import { hasNetAdmin } from '../kernel/privilege.ts'
import { type Finding, needsOf } from './doctor/finding.ts'
import { checkForeignRules } from './doctor/foreign-rules.ts'
import type { LimitsAsked } from './doctor/limits.ts'
import { checkListening } from './doctor/listening.ts'
import {
  checkKernel,
  checkLibraries,
  checkOpenFiles,
  checkPorts,
  checkPrivilege,
  checkSourcePorts,
  checkTcp,
} from './doctor/machine.ts'
import { checkInterception, tablesExist } from './doctor/own-rules.ts'
import { withServices } from './doctor/services.ts'
import { checkSettings } from './doctor/settings.ts'
import { checkSource } from './doctor/source.ts'
import type { Credentials } from './doctor/try.ts'
import { checkUpstreams, upstreamsOf } from './doctor/upstream.ts'

export interface DoctorOptions {
  readonly stdout: { write(text: string): unknown }
  /** How long a server may take to greet. */
  readonly upstreamTimeoutMs?: number
  /** The user that transfers through the running proxy; absent: no transfer is tried. */
  readonly credentials?: Credentials
  /** What to ask the servers' own limits with; absent: they are left alone. */
  readonly limits?: Pick<LimitsAsked, 'sessions' | 'credentials'>
}

/**
 * Prints what was found; gives the exit code: 0, 1 when something will not work, or 3 when a privilege is missing. Changes
 * nothing.
 */
export async function doctor(
  given: Config,
  { stdout, upstreamTimeoutMs = 5000, credentials, limits }: DoctorOptions,
): Promise<0 | 1 | 3> {
  const { config, findings: services } = await withServices(given)
  const findings = [...(await examine(config, upstreamTimeoutMs)), ...services]
  if (credentials !== undefined) {
    const { tryTransfers } = await import('./doctor/try.ts')
    findings.push(...(await tryTransfers(config, credentials)))
  }
  if (limits !== undefined) {
    const { checkLimits } = await import('./doctor/limits.ts')
    findings.push(...(await checkLimits(config, { ...limits, timeoutMs: upstreamTimeoutMs })))
  }
  for (const finding of findings) stdout.write(`${formatFinding(finding)}\n`)
  const failed = findings.filter(({ state }) => state === 'fail')
  if (failed.some(({ isPrivilege }) => isPrivilege === true)) return 3
  return failed.length > 0 ? 1 : 0
}

/** Every finding, in the order in which they build on each other. */
export async function examine(config: Config, upstreamTimeoutMs: number): Promise<readonly Finding[]> {
  const needs = needsOf(config)
  const upstreams = checkUpstreams(upstreamsOf(config), upstreamTimeoutMs)
  const findings: Finding[] = [checkPrivilege(needs)]
  if (needs.kernel) {
    const { findings: libraries, nft } = await checkLibraries()
    findings.push(...libraries)
    // Without the capability the kernel does not even answer; one line about that is enough.
    if (nft !== null && hasNetAdmin()) {
      findings.push(...(await checkKernel(config, nft)), ...(await checkInterception(config, nft)))
      findings.push(...checkForeignRules(config, nft), ...(await checkSource(config, nft)))
    }
    findings.push(...checkSettings(needs, nft !== null && hasNetAdmin() && tablesExist(config, nft)))
    nft?.close()
  } else {
    findings.push(...(await checkFirewallOfRelay(config)))
  }
  findings.push(
    await checkTcp(),
    ...(await checkListening(config)),
    checkPorts(config),
    ...(await checkSourcePorts(config)),
    checkOpenFiles(config),
  )
  findings.push(...(await upstreams))
  return findings
}

/** A relay needs nothing of the kernel but a firewall that lets its ports in, if that can be looked at. */
async function checkFirewallOfRelay(config: Config): Promise<readonly Finding[]> {
  const nft = hasNetAdmin() ? await openNft().catch(() => null) : null
  if (nft === null) return []
  try {
    return checkForeignRules(config, nft)
  } finally {
    nft.close()
  }
}

/** `'FAIL  forwarding: net.ipv4.ip_forward is 0 … -> sysctl -w net.ipv4.ip_forward=1'` */
export function formatFinding({ state, check, found, cure }: Finding): string {
  const word = { ok: 'ok  ', warn: 'warn', fail: 'FAIL' }[state]
  return `${word}  ${check}: ${found}${cure === undefined ? '' : `  ->  ${cure}`}`
}
