// Servers that DNS names (SRV): what it says of them now, so that they can be looked at as those that the configuration names.

import { resolveSrv } from 'node:dns/promises'
import type { Config, PoolConfig, PoolServerConfig } from '../../config/config.ts'
import { type Finding, fail } from './finding.ts'

export async function withServices(
  config: Config,
): Promise<{ readonly config: Config; readonly findings: readonly Finding[] }> {
  const findings: Finding[] = []
  const located = async (pool: PoolConfig): Promise<PoolConfig> => {
    const servers = await Promise.all(pool.servers.map((server) => serversOf(server, pool.name, findings)))
    return { ...pool, servers: servers.flat() }
  }
  return { config: { ...config, upstreams: await Promise.all(config.upstreams.map(located)) }, findings }
}

async function serversOf(
  server: PoolServerConfig,
  pool: string,
  findings: Finding[],
): Promise<readonly PoolServerConfig[]> {
  if (server.isSrv !== true) return [server]
  const check = `server of pool ${pool}`
  const cure = 'correct the name, or its SRV records'
  try {
    const records = (await resolveSrv(server.host)).filter(({ name }) => name !== '')
    if (records.length === 0) findings.push(fail(check, `${server.host} has no server (SRV)`, cure))
    return records.map(({ name, port }) => ({ ...server, host: name.toLowerCase(), port, isSrv: false }))
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    findings.push(fail(check, `${server.host} does not resolve: ${why}`, cure))
    return []
  }
}
