// The backend whose pinholes are elements of tables in the kernel: bytes never enter this process. What the
// kernel cannot do (a conversion, two address families, a peer on this machine) is relayed, through a hole that
// admits the same one peer, once.

import { canonicalAddress, familyOf } from '../../ftp/addresses.ts'
import type { Redirected } from '../../kernel/conntrack-restore.ts'
import type { BackendName, PoolUse } from '../../vocabulary.ts'
import type {
  PinholeBackend,
  PinholeEvents,
  PinholeHandle,
  PinholeRequest,
  Restore,
  SourceNat,
  SourceNatRequest,
} from '../backend.ts'
import { ForwardedHole, type ForwardRequest } from './forwarded-hole.ts'
import type { HoleContext, LivingHole, Opened } from './hole.ts'
import { RelayedHole } from './relayed-hole.ts'
import { sourceNat } from './source-nat.ts'

/** What the backend needs beside what its holes need. */
export interface NftablesBackendParts extends Omit<HoleContext, 'ended'> {
  /** False: everything is relayed, and the elements only claim connections and admit them. */
  readonly forward: boolean
  readonly restore: Restore
  /** Gives back sockets, subscriptions and libraries. */
  readonly release: () => void
  /** Where the holes that live are kept, for `restoreTables`. */
  readonly holes: Set<LivingHole>
}

/** Made by `createNftablesBackend`. */
export class NftablesBackend implements PinholeBackend {
  readonly name: BackendName
  readonly #parts: NftablesBackendParts
  readonly #context: HoleContext

  constructor(parts: NftablesBackendParts) {
    this.name = parts.forward ? 'nftables' : parts.relay.name
    this.#parts = parts
    this.#context = { ...parts, ended: (hole) => parts.holes.delete(hole) }
  }

  open(request: PinholeRequest, events: PinholeEvents, opened: Opened): PinholeHandle {
    const { holes } = this.#parts
    if (this.#canForward(request)) {
      const hole = ForwardedHole.open(this.#context, request, events, opened)
      if (hole === null) return nothingToClose
      holes.add(hole)
      return hole
    }
    const hole = new RelayedHole(this.#context, request, events, opened)
    holes.add(hole)
    hole.open()
    return hole
  }

  /** For a connection of ours that appears to come from another address. Errors: `AlgError` PINHOLE_FAILED. */
  sourceNat(request: SourceNatRequest): SourceNat {
    return sourceNat(this.#context, request)
  }

  /** For a redirected connection that conntrack has forgotten. Errors: `AlgError` RUNTIME_FAILED. */
  restore(connection: Redirected): void {
    this.#parts.restore(connection)
  }

  async closeAll(): Promise<void> {
    const { holes, transactions, relay } = this.#parts
    for (const hole of [...holes]) hole.close()
    transactions.flush()
    await relay.closeAll()
  }

  use(): readonly PoolUse[] {
    return this.#parts.relay.use()
  }

  /**
   * Closes every pinhole and lets go of the kernel. The tables stay, empty: established connections need the
   * NAT hooks that come with them. `ftp-alg firewall --remove` takes them away.
   */
  async stop(): Promise<void> {
    await this.closeAll()
    this.#parts.release()
  }

  #canForward(request: PinholeRequest): request is ForwardRequest {
    const { target, expect, others, source, local } = request
    // Who of several came is found out by whoever listens.
    if (!this.#parts.forward || target === null || others.length > 0) return false
    const family = familyOf(canonicalAddress(local))
    const isOneFamily =
      familyOf(target.address) === family &&
      familyOf(expect) === family &&
      familyOf(source ?? expect) === family
    // Packets from and to this machine itself do not pass the hooks where they would be translated, and nobody
    // routes link-local ones.
    const { isOwnAddress } = this.#context
    return isOneFamily && !isOwnAddress(expect) && !isOwnAddress(target.address)
  }
}

const nothingToClose: PinholeHandle = { close: () => undefined, prolong: () => undefined }
