import type { Config } from '../../config/config.ts'
import { missingOfRoutes, missingOfTable } from '../../firewall/interception-check.ts'
import { interceptTableOf } from '../../firewall/table-names.ts'
import { openNft } from '../../kernel/nft.ts'

export interface InterceptionWatch {
  /** Any number of times. */
  stop(): void
}

/** A look costs a millisecond or two, and two programs that run where tproxy needs routes. */
const LOOK_MS = 60_000

/**
 * Looks at once and then every minute whether the rules that bring connections to the listeners are there. They are the
 * administrator's to load (`ftp-alg firewall --apply`), and a firewall that is loaded anew often begins with `flush ruleset`.
 *
 * `checked` hears what is missing, or null. Resolves after the first look; rejects with `AlgError` where nft cannot be had.
 */
export async function watchInterception(
  config: Config,
  checked: (missing: string | null) => void,
  everyMs = LOOK_MS,
): Promise<InterceptionWatch> {
  const nft = await openNft()
  let isStopped = false
  const look = async () => {
    let listed: string | null
    try {
      listed = nft.run(`list table ${interceptTableOf(config)}`)
    } catch {
      listed = null
    }
    const missing = missingOfTable(config, listed) ?? (await missingOfRoutes(config))
    if (!isStopped) checked(missing)
  }
  await look()
  const timer = setInterval(() => void look(), everyMs).unref()
  return {
    stop() {
      if (isStopped) return
      isStopped = true
      clearInterval(timer)
      nft.close()
    },
  }
}
