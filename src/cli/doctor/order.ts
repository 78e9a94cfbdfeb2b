// Rules that decide before the one that lets us in, and chains of the way out.

import type { Config } from '../../config/config.ts'
import { markOf } from '../../firewall/intercept-table.ts'
import { hexMark } from '../../firewall/mark.ts'
import { type Finding, fail, needsOf, warn } from './finding.ts'
import { awaitedPorts } from './open-ports.ts'
import { type Traveller, type WalkedRule, walk } from './rule-walk.ts'

/** A base chain, with the rules of its table. */
export interface BaseChain {
  /** `'inet filter forward'` */
  readonly name: string
  readonly ownName: string
  readonly hook: string
  readonly type: string
  /** What becomes of whatever no rule decides. */
  readonly dropsByDefault: boolean
  readonly rulesOf: (chain: string) => readonly WalkedRule[]
}

export function checkOrder(config: Config, chains: readonly BaseChain[]): readonly Finding[] {
  return chains.flatMap((chain) => {
    switch (chain.hook) {
      case 'input':
      case 'forward':
        return chain.type === 'filter' ? [...droppedBefore(config, chain)] : []
      case 'output':
        return chain.type === 'filter' ? droppedOut(config, chain) : []
      default:
        return []
    }
  })
}

/** What drops a data connection, or a client's connection to a listener, in spite of what lets it in after that. */
function droppedBefore(config: Config, chain: BaseChain): readonly Finding[] {
  const needs = needsOf(config)
  const mark = markOf(config)
  const { client } = config.dataPorts
  const marked: readonly Journey[] =
    chain.hook === 'forward' && !needs.forwarding
      ? []
      : needs.kernel
        ? [{ ports: client, mark, what: 'data connections', cure: `ct mark ${hexMark(mark)} accept` }]
        : []
  const open: readonly Journey[] =
    chain.hook === 'forward'
      ? []
      : awaitedPorts(config).map(({ first, last, what }) => ({
          ports: { first, last },
          mark: null,
          what,
          cure: `tcp dport ${first === last ? first : `${first}-${last}`} accept`,
        }))
  return [...marked, ...open].flatMap(({ what, cure, ...traveller }) => {
    const ended = walk(traveller, chain.ownName, chain.rulesOf)
    if (ended.end !== 'drop' || isLast(ended.handle, chain)) return []
    const say = ended.isPartial ? warn : fail
    const rule = `rule ${ended.handle} of chain ${ended.chain}`
    const found = `${chain.name} drops ${what}${ended.isPartial ? ' of some interfaces' : ''} by ${rule}, before it lets them in`
    return [say(`your ${chain.hook} chain`, found, `nft insert rule ${chain.name} ${cure}`)]
  })
}

interface Journey extends Traveller {
  readonly what: string
  /** The rule that would let it by. */
  readonly cure: string
}

/** That a chain drops what is left is reported elsewhere, whether by its policy or by its last rule. */
function isLast(handle: number, { rulesOf, ownName, dropsByDefault }: BaseChain): boolean {
  return dropsByDefault && rulesOf(ownName).at(-1)?.handle === handle
}

/** Control connections to servers leave this machine by the output chain, whatever the kernel forwards. */
function droppedOut(config: Config, chain: BaseChain): readonly Finding[] {
  const servers = [
    ...config.listeners.flatMap(({ upstream, pool }) => (pool !== undefined ? [] : [upstream?.port ?? 21])),
    ...config.upstreams.flatMap(({ servers }) => servers.map(({ port }) => port)),
  ]
  return [...new Set(servers)].flatMap((port) => {
    const traveller = { ports: { first: port, last: port }, mark: null }
    const ended = walk(traveller, chain.ownName, chain.rulesOf)
    const isDropped = ended.end === 'drop' || (ended.end === 'policy' && chain.dropsByDefault)
    if (!isDropped) return []
    const found = `${chain.name} drops our connections to servers on port ${port}`
    return [fail('your output chain', found, `nft insert rule ${chain.name} tcp dport ${port} accept`)]
  })
}
