// `activeSourcePort` as far as the system allows it.

import type { ListenerConfig } from '../../config/config.ts'
import { addressToTry, whyNotFromPort } from '../../kernel/source-port.ts'
import type { Observer } from '../../observe/observer.ts'

/**
 * Names of the listeners whose `activeSourcePort` is not to be had: it is said once, and not tried for every transfer.
 */
export async function deniedSourcePorts(
  listeners: readonly Pick<ListenerConfig, 'name' | 'listen' | 'activeSourcePort'>[],
  observer: Pick<Observer, 'log'>,
): Promise<ReadonlySet<string>> {
  const denied = new Set<string>()
  for (const { name, listen, activeSourcePort: port } of listeners) {
    const error = port === null ? null : await whyNotFromPort({ address: addressToTry(listen.address), port })
    if (error === null) continue
    denied.add(name)
    observer.log(
      'warn',
      'source_port.deny',
      'clients in active mode are called from any port: the configured one is not to be had (below 1024 it needs CAP_NET_BIND_SERVICE)',
      { listener: name, port, error },
    )
  }
  return denied
}
