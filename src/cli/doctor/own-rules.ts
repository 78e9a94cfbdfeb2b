// Whether our static rules and routes are in place, and bridges out of their way.

import type { Config } from '../../config/config.ts'
import { foreignFamilies, interceptTable, markOf } from '../../firewall/intercept-table.ts'
import { missingOfRoute, missingOfTable } from '../../firewall/interception-check.ts'
import { askIp } from '../../firewall/iproute.ts'
import { hexMark } from '../../firewall/mark.ts'
import { interceptTableOf, pinholeTablesIn, tableOf } from '../../firewall/table-names.ts'
import type { Nft } from '../../kernel/nft.ts'
import { type Finding, fail, needsOf, ok, warn } from './finding.ts'
import { readSysctl } from './settings.ts'

const applyCure = 'ftp-alg firewall --apply with the same --config'

/** Our static rules and routes. */
export async function checkInterception(config: Config, nft: Nft): Promise<readonly Finding[]> {
  const findings: Finding[] = []
  if (interceptTable(config) !== null) findings.push(checkTable(config, nft))
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
  if (needsOf(config).foreignSockets) findings.push(await checkBridges())
  for (const family of foreignFamilies(config)) findings.push(await checkRoute(family, markOf(config)))
  return findings
}

/** Whether the running process has made its tables. */
export function tablesExist(config: Config, nft: Nft): boolean {
  return pinholeTablesIn(nft.run('list tables'), tableOf(config)).length > 0
}

function checkTable(config: Config, nft: Nft): Finding {
  const table = interceptTableOf(config)
  const isLoaded = nft.refusal(`list table ${table}`) === null
  const missing = missingOfTable(config, isLoaded ? nft.run(`list table ${table}`) : null)
  if (missing === null) return ok('interception rules', `table ${table} is loaded`)
  const isIntercepting = config.listeners.some(({ intercept }) => intercept !== 'none')
  const effect = isIntercepting ? 'nothing is intercepted' : 'no server is reached'
  return fail('interception rules', `${missing}: ${effect}`, applyCure)
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
    const missing = await missingOfRoute(family, mark)
    if (missing === null) return ok(check, `packets with mark ${hexMark(mark)} are delivered here`)
    return fail(check, `${missing}: what is meant for our sockets goes astray`, applyCure)
  } catch (error) {
    return fail(check, error instanceof Error ? error.message : String(error), 'install iproute2')
  }
}
