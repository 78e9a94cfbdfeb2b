// `source: client` where a listener has servers of its own: what they cannot see.

import { familyOf } from '../ftp/addresses.ts'
import { parseAddress } from './address.ts'
import { complaint, type RuleBreach } from './complaint.ts'
import type { ListenerSections } from './listener-rules.ts'
import type { ListenerSection } from './listener-schema.ts'
import { type PoolSections, withPool } from './pool-rules.ts'
import { formatListen, formatUpstream, isThisMachine, type Upstream } from './socket-address.ts'

/** Answers to a client's address must pass this machine, and an address is of one family. */
export function sourceBreaches(listeners: ListenerSections, pools: PoolSections): RuleBreach[] {
  return listeners.flatMap((listener, index) => {
    if (listener === undefined || listener.source === 'proxy' || listener.intercept === 'tproxy') return []
    const reason =
      listener.intercept === 'redirect'
        ? 'needs intercept: tproxy or none, and intercept is redirect'
        : serversOf(listener, pools).flatMap((server) => obstacleOf(listener, server) ?? [])[0]
    if (reason === undefined) return []
    const text = complaint(reason, { given: listener.source, allowed: 'proxy' })
    return [{ path: ['listeners', index, 'source'], text }]
  })
}

function serversOf(listener: ListenerSection, pools: PoolSections): readonly Upstream[] {
  const known = pools.flatMap((pool) => (pool === undefined ? [] : [pool]))
  return [listener, ...(listener.routes ?? [])].flatMap((each): readonly Upstream[] => {
    const pool = known.find(({ name }) => name === withPool(each, known).pool)
    if (pool !== undefined) return pool.servers
    return each.upstream === null ? [] : [each.upstream]
  })
}

function obstacleOf({ listen }: ListenerSection, server: Upstream): string | null {
  if (isThisMachine(server))
    return `cannot work with a server on this machine (${formatUpstream(server)}): its answers to a client do not pass the rules`
  const address = parseAddress(server.host)
  if (!address.ok || listen.address === '::') return null
  const [ours, theirs] = [familyOf(listen.address), familyOf(address.value)]
  return ours === theirs
    ? null
    : `cannot work: clients of ${formatListen(listen)} have IPv${ours} addresses, and the server ${formatUpstream(server)} has an IPv${theirs} address`
}
