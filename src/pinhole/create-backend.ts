import { randomInt } from 'node:crypto'
import type { Config, PortRangeConfig } from '../config/config.ts'
import type { Side } from '../engine/contract.ts'
import { isElsewhere, needsTables, tableOf, workerTable } from '../firewall/table-names.ts'
import { steadyClock } from '../kernel/steady-clock.ts'
import { Introductions } from '../tcp/proxy-protocol/introductions.ts'
import type { Tcp } from '../tcp/tcp.ts'
import { deduplicateAttempts } from './attempts.ts'
import type { AddSourceNat, BackendObserver, PinholeBackend, Restore } from './backend.ts'
import { PortPool } from './port-pool.ts'
import { RelayBackend } from './relay/relay-backend.ts'

/** A port rests this long before the same peer gets it again. */
const QUARANTINE_MS = 2_000

export interface RunningBackend {
  readonly backend: PinholeBackend
  /** Null without our tables in the kernel. */
  readonly sourceNat: AddSourceNat | null
  /** The same. */
  readonly restore: Restore | null
  /** Closes every pinhole and lets go of the kernel. */
  readonly stop: () => Promise<void>
}

export interface BackendSurroundings {
  readonly observer: BackendObserver
  readonly tcp: Tcp
  /** Ports that may be open for a moment without a pinhole. */
  readonly idlePorts: number
}

/**
 * Makes the backend that a configuration asks for. With interception, and with `source: client`, even the relay needs elements in
 * the kernel: data connections to the server's or the client's address are claimed one peer at a time.
 *
 * Errors: `AlgError` PRIVILEGE_MISSING, KERNEL_FEATURE_MISSING or CONFIG_INVALID from the kernel's part.
 */
export async function createBackend(
  config: Config,
  { observer, tcp, idlePorts }: BackendSurroundings,
): Promise<RunningBackend> {
  const { dataPorts, limits, pinholes, listeners, policy } = config
  const { now } = steadyClock
  const poolOf = ({ first, last }: PortRangeConfig) => {
    const share = limits.pinholesPerClient ?? Math.ceil((last - first + 1) / 2)
    return new PortPool({
      first,
      last,
      quarantineMs: QUARANTINE_MS,
      share,
      random: (below) => randomInt(below),
    })
  }
  const client = poolOf(dataPorts.client)
  const pools: Record<Side, PortPool> = {
    client,
    server: dataPorts.shared ? client : poolOf(dataPorts.server),
  }
  const intruded: BackendObserver['pinholeIntruded'] = (intruder) => observer.pinholeIntruded(intruder)
  const introductions = new Introductions({
    from: listeners.flatMap(({ proxyProtocol }) => proxyProtocol.from),
    timeoutMs: limits.handshakeMs,
  })
  if (!needsTables(config)) {
    const relay = new RelayBackend({ tcp, pools, intruded, introductions, idlePorts, now })
    return { backend: relay, sourceNat: null, restore: null, stop: () => relay.closeAll() }
  }
  // Imported only here: everything else runs where there is no Linux and no koffi.
  const { createNftablesBackend } = await import('./nftables/create.ts')
  const { parseSetName } = await import('./nftables/their-sets.ts')
  const setNamed = (text: string | null) => (text === null ? null : parseSetName(text))
  const { mark, admit } = pinholes
  // A stranger at a port that we listen on is seen twice.
  const intrudedOnce = deduplicateAttempts({ now, intruded })
  const backend = await createNftablesBackend({
    relay: new RelayBackend({ tcp, pools, intruded: intrudedOnce, introductions, idlePorts, now }),
    pools,
    intruded: intrudedOnce,
    strangers: {
      ports: dataPorts.shared ? [dataPorts.client] : [dataPorts.client, dataPorts.server],
      everywhere: listeners.some(isElsewhere),
    },
    ports: {
      first: Math.min(dataPorts.client.first, dataPorts.server.first),
      last: Math.max(dataPorts.client.last, dataPorts.server.last),
    },
    others: [...policy.dataPeers.clients, ...policy.dataPeers.servers, ...policy.fxp],
    now,
    swallowed: (swallowed) => observer.pinholeSwallowed(swallowed),
    log: (event, fields) => observer.log(event, fields),
    soon: (task) => tcp.gather(task),
    forward: pinholes.backend === 'nftables',
    // Workers run beside each other, each with its own slice of the ports.
    table: config.workers === 1 ? tableOf(config) : workerTable(tableOf(config), dataPorts.client.first),
    ...(mark === undefined ? {} : { mark }),
    ...(admit === undefined ? {} : { theirs: { ip: setNamed(admit.ipv4), ip6: setNamed(admit.ipv6) } }),
  })
  return {
    backend,
    sourceNat: (request) => backend.sourceNat(request),
    restore: (connection) => backend.restore(connection),
    stop: () => backend.stop(),
  }
}
