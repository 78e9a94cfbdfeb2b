// About once in some thousands of transfers in active mode that the kernel forwards, vsftpd's connection gets no answer for half a
// minute. One cause is known, from captures on all three hosts: with tproxy the relay calls an active client by a transparent
// socket in the server's name, server:20 to client:X. Its TIME_WAIT stays on the gateway for a minute. When another variant then
// forwards a connection between the same two ends, the kernel's early demultiplexing gives the client's SYN-ACK, translated
// back, to that socket, and ip_forward drops what belongs to a socket. `net.ipv4.ip_early_demux=0` would avoid it, and so would
// translated calls (as with redirect), but for a server whose data port is one that a listener catches: the rule that catches it takes
// the answer too. Within one running proxy it needs the relay and the kernel between the same client port and server.
//
// Until that is mended a failed test is tried once more, and what the proxy and conntrack knew the first time is printed.

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
