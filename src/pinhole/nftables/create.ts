import type { Side } from '../../engine/contract.ts'
import { DEFAULT_MARK } from '../../firewall/mark.ts'
import {
  listPinholeRules,
  pinholeSets,
  pinholeTables,
  type StrangersRule,
} from '../../firewall/pinhole-table.ts'
import { DEFAULT_TABLE } from '../../firewall/table-names.ts'
import { type FlowKey, type FlowReport, findFlow, keyOf, listFlows } from '../../kernel/conntrack.ts'
import { eraseFlow } from '../../kernel/conntrack-erase.ts'
import { restoreRedirected } from '../../kernel/conntrack-restore.ts'
import { watchConntrack } from '../../kernel/conntrack-watch.ts'
import { loadLibc } from '../../kernel/libc.ts'
import { NetlinkSocket } from '../../kernel/netlink-socket.ts'
import { openNft } from '../../kernel/nft.ts'
import { changeElements, countMatches, type ElementChange, knowsDestroy } from '../../kernel/nft-elements.ts'
import { askRoutingTable, isOwnAddress } from '../../kernel/own-addresses.ts'
import { requireNetAdmin } from '../../kernel/privilege.ts'
import { ownAddressTowards } from '../../kernel/transparent.ts'
import type { BackendObserver, PinholeBackend } from '../backend.ts'
import type { PortPool } from '../port-pool.ts'
import { NftablesBackend } from './backend.ts'
import { holeKey, type TheirSets } from './elements.ts'
import { ForwardedFlows } from './flows.ts'
import type { LivingHole } from './hole.ts'
import { watchStrangers } from './stranger-watch.ts'
import { Strangers, type StrangersOptions } from './strangers.ts'
import { TableGuard } from './table-guard.ts'
import { checkTheirSets } from './their-sets.ts'
import { ElementTransactions } from './transactions.ts'

export interface NftablesBackendOptions {
  /** Carries what the kernel cannot. Works on the same pools. */
  readonly relay: PinholeBackend
  /** The same pool twice where one range serves both sides. */
  readonly pools: Readonly<Record<Side, PortPool>>
  /** The range of the pools, or one that holds both. Other marked connections are none of our business. */
  readonly ports?: { readonly first: number; readonly last: number }
  /** Milliseconds on a clock that never goes back. */
  readonly now: () => number
  readonly log: BackendObserver['log']
  /** The conntrack mark of everything let through; default 0xf7. */
  readonly mark?: number
  /** Sets of the administrator's own to which we add who is let through. */
  readonly theirs?: TheirSets
  /**
   * False relays every byte: for `pinholes.backend: relay` behind interception, where elements only bring data
   * connections to us and through the firewall. Default true.
   */
  readonly forward?: boolean
  /** The name of our tables, default `ftp_alg`; processes that run beside each other need one each. */
  readonly table?: string
  /** Hears of connections to `strangers.ports` that no pinhole was for. */
  readonly intruded?: StrangersOptions['intruded']
  /** Hears of peers that were let in and dropped by a chain that is not ours. */
  readonly swallowed?: BackendObserver['pinholeSwallowed']
  /** Absent: none is reported. */
  readonly strangers?: Omit<StrangersRule, 'group'>
  /** Networks, canonical: who may come to a pinhole in its peer's place. */
  readonly others?: readonly string[]
  /** See `TransactionOptions`; default `process.nextTick`. */
  readonly soon?: (task: () => void) => void
}

/**
 * Puts our tables into the kernel, empty, and gives the backend that fills them.
 *
 * Errors: PRIVILEGE_MISSING, KERNEL_FEATURE_MISSING (both exit 3), CONFIG_INVALID for a set that cannot be used.
 */
export async function createNftablesBackend(options: NftablesBackendOptions): Promise<NftablesBackend> {
  requireNetAdmin('pinholes.backend: nftables')
  const {
    mark = DEFAULT_MARK,
    theirs = { ip: null, ip6: null },
    forward = true,
    table = DEFAULT_TABLE,
    soon = process.nextTick,
    others = [],
  } = options
  const libc = await loadLibc()
  const nft = await openNft()
  checkTheirSets(nft, theirs)
  const towards = (peer: string) => ownAddressTowards(libc, peer)
  askRoutingTable(libc)
  const strangers = new Strangers({
    now: options.now,
    isOwnAddress,
    intruded: options.intruded ?? (() => undefined),
  })
  const heard = watchStrangers({ libc, nft, mark, table, strangers, log: options.log, rule: ruleOf(options) })
  const tables = pinholeTables(mark, { table, others, strangers: heard.rule })
  nft.run(tables, 'KERNEL_FEATURE_MISSING')

  const socket = new NetlinkSocket(libc)
  const holes = new Set<LivingHole>()
  const sets = pinholeSets(table)
  const canDestroy = knowsDestroy(socket, { set: sets[4].once, key: nobody }, 'KERNEL_FEATURE_MISSING')
  const change = (changes: readonly ElementChange[]) =>
    changeElements(socket, canDestroy ? changes : changes.map(deletingInstead), 'PINHOLE_FAILED')
  const restoreTables = (event: 'tables.lose' | 'tables.change') => {
    const elements = [...holes].map((hole) => hole.elements()).filter((changes) => changes.length > 0)
    const restored = orElse(false, () => {
      nft.run(tables)
      // One by one: what is wrong with one must not keep the others away.
      for (const changes of elements) change(changes)
      return true
    })
    options.log(event, { restored, pinholes: elements.length })
    return restored
  }
  const guard = new TableGuard({
    read: () =>
      listPinholeRules(table)
        .map((command) => nft.run(command))
        .join(''),
    restore: () => restoreTables('tables.change'),
    now: options.now,
  })
  const find = (key: FlowKey) => orElse(null, () => findFlow(socket, key, 'RUNTIME_FAILED'))
  const flows = new ForwardedFlows({
    find,
    list: () => orElse([], () => listFlows(socket, mark, 'RUNTIME_FAILED')),
    erase: (key) => orElse(undefined, () => eraseFlow(socket, key, 'RUNTIME_FAILED')),
  })
  const watch = watchConntrack(libc, { mark, ports: options.ports ?? ALL_PORTS }, flows)
  return new NftablesBackend({
    transactions: new ElementTransactions({
      table,
      change,
      restoreTables: () => restoreTables('tables.lose'),
      soon,
    }),
    flows,
    catchUp: () => watch.catchUp(),
    strangers,
    sets: { own: sets, theirs },
    pools: options.pools,
    relay: options.relay,
    now: options.now,
    ownAddressTowards: towards,
    isOwnAddress,
    packetsMatched: (door) => orElse(0, () => countMatches(socket, door, 'RUNTIME_FAILED')),
    nobodyCame: () => guard.doubt(),
    isTracked: (flow) => find(keyOf(flow)) !== null,
    isRunning: (flow) => isRunning(find(keyOf(flow))),
    swallowed: options.swallowed ?? (() => undefined),
    forward,
    holes,
    restore: (connection) => restoreRedirected(socket, { ...connection, mark }, 'RUNTIME_FAILED'),
    release: () => {
      guard.stop()
      heard.close()
      watch.close()
      socket.close()
      nft.close()
    },
  })
}

function isRunning(report: FlowReport | null): boolean {
  return report?.state === 'opening' || report?.state === 'open'
}

/** Data ports are one process's alone, so the first of them is the group's number: no other process takes it. */
function ruleOf({ strangers }: NftablesBackendOptions): StrangersRule | null {
  const group = strangers?.ports[0]?.first
  return strangers === undefined || group === undefined ? null : { ...strangers, group }
}

/** For kernels before 6.3: what is gone makes the transaction fail, and it is tried again without. */
function deletingInstead(change: ElementChange): ElementChange {
  return change.action === 'destroy' ? { ...change, action: 'delete' } : change
}

const nobody = holeKey('0.0.0.0', { address: '0.0.0.0', port: 0 })

const ALL_PORTS = { first: 1, last: 65_535 }

/** Asked in the middle of other work: a kernel that does not answer must not end the process. */
function orElse<Result>(instead: Result, ask: () => Result): Result {
  try {
    return ask()
  } catch {
    return instead
  }
}
