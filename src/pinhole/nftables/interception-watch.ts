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
/** While something is missing: mostly it comes a moment after the process, as in Kubernetes. */
const MISSING_LOOK_MS = 5_000

/**
 * Looks at once and then every minute, or every 5 s while they are missing, whether the rules that bring connections to the
 * listeners are there. They are the administrator's to load (`ftp-alg firewall --apply`), and a firewall that is reloaded often begins with `flush ruleset`.
 *
 * `checked` hears what is missing, or null. Resolves after the first look; rejects with `AlgError` where nft cannot be had.
 */
export async function watchInterception(
  config: Config,
  checked: (missing: string | null) => void,
  everyMs = LOOK_MS,
): Promise<InterceptionWatch> {
  const nft = await openNft()
  const missingMs = Math.min(everyMs, MISSING_LOOK_MS)
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
    return missing !== null
  }
  let timer: NodeJS.Timeout | undefined
  const lookAgain = async () => {
    const isMissing = await look()
    if (!isStopped) timer = setTimeout(() => void lookAgain(), isMissing ? missingMs : everyMs).unref()
  }
  await lookAgain()
  return {
    stop() {
      if (isStopped) return
      isStopped = true
      clearTimeout(timer)
      nft.close()
    },
  }
}
