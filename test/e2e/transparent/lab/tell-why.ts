import type { RunningProxy } from '../../../support/proxy.ts'

const records = 60

/** Prints the end of the proxy's log, for transfers that fail only now and then. */
export function tellWhy(proxy: RunningProxy | undefined): void {
  console.warn('transfers failed; the last the proxy said:')
  for (const record of proxy?.records().slice(-records) ?? []) console.warn(JSON.stringify(record))
}
