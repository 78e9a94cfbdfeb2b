// TLS of the listeners that have it: its files are read at start, when the configuration is, and when they change. Without
// any, nothing of it is loaded.

import type { Config, ListenerConfig, PoolConfig } from '../../config/config.ts'
import { usesTls } from '../../config/pool-settings.ts'
import { steadyClock } from '../../kernel/steady-clock.ts'
import type { Observer } from '../../observe/observer.ts'
import type { TlsSetup } from '../../tls/tls-setup.ts'
import type { CertificateUse } from '../../vocabulary.ts'
import type { TlsSupport } from '../session/session-tls.ts'
import type { CheckTls } from '../upstream/pool/check-tls.ts'

export interface TlsListenersOptions {
  readonly observer: Pick<Observer, 'certificatesRead' | 'certificateExpires'>
  /** What a listener's files hold, and what tells when that changes. */
  readonly files: {
    fingerprint(files: readonly string[]): string
    watch(request: { readonly files: readonly string[]; readonly since: string; changed(): void }): Watch
  }
}

interface Watch {
  stop(): void
}

interface Loaded {
  readonly setup: TlsSetup
  readonly support: typeof import('../session/session-tls.ts').supportTls
  readonly openCheck: typeof import('../upstream/pool/check-tls.ts').openCheckTls
  readonly filesOf: (listener: ListenerConfig, pools: readonly PoolConfig[]) => readonly string[]
}

const DAY_MS = 24 * 60 * 60 * 1000
/** A certificate that ends sooner is warned about, once a day. */
const SOON_MS = 14 * DAY_MS
const WARN_MS = 60_000

export class TlsListeners {
  readonly #options: TlsListenersOptions
  #loaded: Loaded | null = null
  #handshakeMs = 0
  #watches: readonly Watch[] = []
  #timer: NodeJS.Timeout | null = null
  #isStopped = false
  /** Until their certificates are read again. */
  readonly #supports = new Map<string, TlsSupport>()
  /** By file: the end of a certificate that was warned about, and when. */
  readonly #warned = new Map<string, { readonly expiresMs: number; readonly atMs: number }>()

  constructor(options: TlsListenersOptions) {
    this.#options = options
  }

  /**
   * Reads certificates and keys, of sessions to come.
   *
   * Errors: `AlgError` CONFIG_INVALID with the listener and the file, in which case nothing has changed;
   * KERNEL_FEATURE_MISSING where this machine has no TLS for us.
   */
  async read(config: Pick<Config, 'listeners' | 'limits' | 'upstreams'>): Promise<void> {
    const withTls = config.listeners.filter((listener) => usesTls(listener, config.upstreams))
    const hasPool = config.upstreams.some(({ upstreamTls }) => upstreamTls != null)
    if (withTls.length === 0 && !hasPool && this.#loaded === null) return
    this.#loaded ??= await load()
    const { setup, filesOf } = this.#loaded
    const { files: look } = this.#options
    // Before they are read: what changes from here on is a change.
    const seen = withTls
      .map((listener) => ({ listener, files: filesOf(listener, config.upstreams) }))
      .filter(({ files }) => files.length > 0)
      .map((each) => ({ ...each, since: look.fingerprint(each.files) }))
    setup.read(config)
    this.#supports.clear()
    this.#handshakeMs = config.limits.handshakeMs
    for (const watch of this.#watches) watch.stop()
    if (this.#isStopped) return
    this.#watches = seen.map(({ listener, files, since }) =>
      look.watch({ files, since, changed: () => this.#readAgain(setup, listener) }),
    )
    this.#timer ??= setInterval(() => this.#warnOfEnds(), WARN_MS).unref()
    for (const { name } of withTls) this.#tellRead(name)
    this.#warnOfEnds()
  }

  /** What a listener's sessions need, of those files that were read last; null where it has no TLS. */
  of(listener: string): TlsSupport | null {
    const support = this.#supportOf(listener)
    if (support === null) return null
    return {
      policy: support.policy,
      open: (session) => (this.#supportOf(listener) ?? support).open(session),
    }
  }

  /** What one check of a pool's server needs; null: it is in clear. */
  ofCheck({ pool, host, timeoutMs }: { pool: string; host: string; timeoutMs: number }): CheckTls | null {
    const upstream = this.#loaded?.setup.ofChecks(pool) ?? null
    return upstream === null || this.#loaded === null
      ? null
      : this.#loaded.openCheck(upstream, { host, handshakeMs: timeoutMs })
  }

  #supportOf(listener: string): TlsSupport | null {
    const tls = this.#loaded?.setup.of(listener) ?? null
    if (tls === null || this.#loaded === null) return null
    const known = this.#supports.get(listener)
    if (known !== undefined) return known
    const support = this.#loaded.support({ ...tls, handshakeMs: this.#handshakeMs })
    this.#supports.set(listener, support)
    return support
  }

  get certificates(): readonly CertificateUse[] {
    return this.#loaded?.setup.certificates ?? []
  }

  /** Looks at no file any more. */
  stop(): void {
    this.#isStopped = true
    for (const watch of this.#watches) watch.stop()
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
  }

  #readAgain(setup: TlsSetup, listener: ListenerConfig): void {
    try {
      setup.readOne(listener)
    } catch (error) {
      // Whatever it is, the old ones serve; it is said, and the next change is read again.
      this.#options.observer.certificatesRead({ listener: listener.name, certificates: [], failure: error })
      return
    }
    this.#supports.delete(listener.name)
    this.#tellRead(listener.name)
    this.#warnOfEnds()
  }

  #tellRead(listener: string): void {
    const certificates = this.certificates.filter((each) => each.listener === listener)
    this.#options.observer.certificatesRead({ listener, certificates, failure: null })
  }

  #warnOfEnds(): void {
    const nowMs = Date.now()
    for (const certificate of this.certificates) {
      const { expiresMs } = certificate
      if (expiresMs - nowMs >= SOON_MS) continue
      const warned = this.#warned.get(certificate.file)
      const atMs = steadyClock.now()
      if (warned?.expiresMs === expiresMs && atMs - warned.atMs < DAY_MS) continue
      this.#warned.set(certificate.file, { expiresMs, atMs })
      this.#options.observer.certificateExpires(certificate)
    }
  }
}

async function load(): Promise<Loaded> {
  const [{ TlsSetup: Setup }, { supportTls: support }, { openCheckTls: openCheck }, { filesOf }] =
    await Promise.all([
      import('../../tls/tls-setup.ts'),
      import('../session/session-tls.ts'),
      import('../upstream/pool/check-tls.ts'),
      import('../../tls/certificate-check.ts'),
    ])
  return { setup: await Setup.create(), support, openCheck, filesOf }
}
