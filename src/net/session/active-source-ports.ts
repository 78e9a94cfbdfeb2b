// `activeSourcePort` as far as the system allows it.

import type { ListenerConfig } from '../../config/config.ts'
import { addressToTry, whyNotFromPort } from '../../kernel/source-port.ts'
import type { Observer } from '../../observe/observer.ts'

/**
 * Names of the listeners whose `activeSourcePort` is not available: logged once, and not tried for every transfer.
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
    observer.log('source_port.deny', { listener: name, port, error })
  }
  return denied
}
