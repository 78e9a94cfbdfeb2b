import { networkInterfaces } from 'node:os'
import { canonicalAddress, reachOf } from '../ftp/addresses.ts'

const REFRESH_MS = 10_000

let addresses: ReadonlySet<string> = new Set()
let refreshedMs = Number.NEGATIVE_INFINITY

/**
 * Whether a canonical address belongs to this machine; loopback and the unspecified address always do.
 *
 * Throws where the system does not say: getifaddrs needs AF_NETLINK, which a sandbox may forbid.
 */
export function isOwnAddress(address: string): boolean {
  const reach = reachOf(address)
  if (reach === 'loopback' || reach === 'unspecified') return true
  const nowMs = performance.now()
  if (nowMs - refreshedMs > REFRESH_MS) {
    const found = Object.values(networkInterfaces()).flatMap((entries) => entries ?? [])
    addresses = new Set(found.map((entry) => canonicalAddress(entry.address)))
    refreshedMs = nowMs
  }
  return addresses.has(address)
}
