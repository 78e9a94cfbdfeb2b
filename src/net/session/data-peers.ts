import type { PolicyConfig } from '../../config/config.ts'
import type { Side } from '../../engine/contract.ts'
import { type Network, parseNetwork } from '../../ftp/addresses.ts'

/** Who may come to a data port in each peer's place. */
export function dataPeersOf({ dataPeers, fxp }: PolicyConfig): Readonly<Record<Side, readonly Network[]>> {
  return {
    client: [...dataPeers.clients, ...fxp].map(parseNetwork),
    server: dataPeers.servers.map(parseNetwork),
  }
}
