import { canonicalAddress } from '../../ftp/addresses.ts'
import type { Endpoint } from '../../ftp/endpoints.ts'
import type { Libc } from '../../kernel/libc.ts'
import { originalDestination } from '../../kernel/socket-options.ts'
import type { Restore } from '../../pinhole/backend.ts'
import type { Connection } from '../../tcp/connection.ts'

export interface TranslationOptions {
  readonly libc: Libc
  /** The client's. */
  readonly connection: Connection
  /** Where it wanted to go. */
  readonly wanted: Endpoint
  readonly restore: Restore
}

/** `restored`: conntrack had forgotten it. `lost`: and does not take it back, so nothing that we say arrives. */
export type TranslationState = 'kept' | 'restored' | 'lost'

/**
 * How the kernel translates a redirected client's control connection. Somebody may make it forget (`conntrack -F`): what the
 * client says next makes it translate again, but what we say first would reach the client from an address that it never called.
 */
export class Translation {
  readonly #options: TranslationOptions

  constructor(options: TranslationOptions) {
    this.#options = options
  }

  /** Before something is said, and now and then, for the probes of a silent connection. A question to the system. */
  keep(): TranslationState {
    const { connection, wanted, restore } = this.#options
    if (connection.fd === null || this.#isKept()) return 'kept'
    const local = connection.local()
    if (local === null) return 'kept'
    const at = { address: canonicalAddress(local.address), port: local.port }
    try {
      restore({ from: connection.remote, to: wanted, at })
    } catch {
      return 'lost'
    }
    return this.#isKept() ? 'restored' : 'lost'
  }

  #isKept(): boolean {
    const { libc, connection, wanted } = this.#options
    const found = originalDestination(libc, connection)
    return found !== null && found.port === wanted.port && canonicalAddress(found.address) === wanted.address
  }
}
