// About once in some thousands of transfers in active mode through the nftables backend, beside other work, vsftpd's
// connection gets no answer for half a minute; alone it has not been made to happen. Until that is understood a failed test is tried
// once more, and what the proxy and conntrack knew the first time is printed.

import type { Gateway } from '../../../support/netns.ts'
import type { RunningProxy } from '../../../support/proxy.ts'

export const onceMore = { retry: 1 } as const

const records = 60

export async function tellWhy(proxy: RunningProxy | undefined, gateway: Gateway): Promise<void> {
  console.warn('transfers failed; the last the proxy said:')
  for (const record of proxy?.records().slice(-records) ?? []) console.warn(JSON.stringify(record))
  const tracked = await gateway.run(['conntrack', '-L', '-p', 'tcp'])
  console.warn(
    'what conntrack knows:',
    tracked.stdout
      .split('\n')
      .slice(-2 * records)
      .join('\n'),
    tracked.stderr,
  )
}
