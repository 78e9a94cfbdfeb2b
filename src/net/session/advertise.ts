import type { AdvertiseRule, ListenerConfig } from '../../config/config.ts'
import { familyOf, type Network, parseNetwork } from '../../ftp/addresses.ts'
import type { Observer } from '../../observe/observer.ts'
import type { Names } from '../upstream/names.ts'

/** Which address a peer is told to connect to. */
export class Advertiser {
  readonly #rules: readonly { readonly network: Network; readonly address: string }[]
  readonly #names: Names

  constructor(rules: readonly AdvertiseRule[], names: Names) {
    this.#rules = rules.map(({ to, address }) => ({ network: parseNetwork(to), address }))
    this.#names = names
  }

  /**
   * The address of the first rule that matches the peer and has one of its family; `own`, our own address on its
   * control connection, where none does or the rule says so. All canonical.
   */
  addressFor({ peer, own }: { readonly peer: string; readonly own: string }): string {
    const family = familyOf(peer)
    for (const { network, address } of this.#rules) {
      if (network !== null && !network.matches(peer)) continue
      if (address === OWN) return own
      const known = this.#names.known(address, family)
      if (known !== null) return known
    }
    return own
  }
}

/** Names are known before the first session needs them; one that does not resolve is a warning. */
export async function resolveAdvertised(
  listeners: readonly Pick<ListenerConfig, 'advertise'>[],
  names: Names,
  observer: Pick<Observer, 'log'>,
): Promise<void> {
  const rules = listeners.flatMap(({ advertise }) => [...advertise.clients, ...advertise.servers])
  const addresses = rules.flatMap(({ address }) => (address === OWN ? [] : [address]))
  await Promise.all(
    addresses.map((address) =>
      names.resolve(address).catch((error: unknown) => {
        observer.log('advertise.fail', { host: address, error })
      }),
    ),
  )
}

/** In a rule: as if no rule matched. No DNS name that anybody announces. */
const OWN = 'own'
