// TLS of the listeners that have it. Without any, nothing of it is loaded.

import type { Config } from '../../config/config.ts'
import type { TlsSetup } from '../../tls/tls-setup.ts'
import type { TlsSupport } from '../session/session-tls.ts'

interface Loaded {
  readonly setup: TlsSetup
  readonly support: typeof import('../session/session-tls.ts').supportTls
}

export class TlsListeners {
  #loaded: Loaded | null = null
  #handshakeMs = 0

  /**
   * Reads certificates and keys, of sessions to come.
   *
   * Errors: `AlgError` CONFIG_INVALID with the listener and the file, in which case nothing has changed;
   * KERNEL_FEATURE_MISSING where this machine has no TLS for us.
   */
  async read(config: Pick<Config, 'listeners' | 'limits'>): Promise<void> {
    const hasTls = config.listeners.some(
      ({ tls, upstreamTls }) => tls !== undefined || upstreamTls !== undefined,
    )
    if (!hasTls && this.#loaded === null) return
    this.#loaded ??= await load()
    this.#handshakeMs = config.limits.handshakeMs
    this.#loaded.setup.read(config)
  }

  /** What a listener's sessions need; null where it has no TLS. */
  of(listener: string): TlsSupport | null {
    const tls = this.#loaded?.setup.of(listener) ?? null
    return tls === null || this.#loaded === null
      ? null
      : this.#loaded.support({ ...tls, handshakeMs: this.#handshakeMs })
  }
}

async function load(): Promise<Loaded> {
  const [{ TlsSetup: Setup }, { supportTls: support }] = await Promise.all([
    import('../../tls/tls-setup.ts'),
    import('../session/session-tls.ts'),
  ])
  return { setup: await Setup.create(), support }
}
