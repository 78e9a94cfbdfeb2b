// In about one of three thousand transfers in active mode through the nftables backend, with many clients at once, vsftpd's
// connection has been seen to get no answer for half a minute; alone it never happens. Until that is understood a failed test is
// tried once more, and what the proxy knew the first time is printed.

import type { RunningProxy } from '../../../support/proxy.ts'

export const onceMore = { retry: 1 } as const

const records = 60

export function tellWhy(proxy: RunningProxy | undefined): void {
  console.warn('transfers failed; the last the proxy said:')
  for (const record of proxy?.records().slice(-records) ?? []) console.warn(JSON.stringify(record))
}
