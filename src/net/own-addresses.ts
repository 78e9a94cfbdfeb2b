import { networkInterfaces } from 'node:os'
import { canonicalAddress, reachOf } from '../ftp/addresses.ts'

const REFRESH_MS = 10_000

let addresses: ReadonlySet<string> = new Set()
let refreshedMs = Number.NEGATIVE_INFINITY

/** Whether a canonical address belongs to this machine; loopback and the unspecified address always do. */
export function isOwnAddress(address: string): boolean {
  const reach = reachOf(address)
  if (reach === 'loopback' || reach === 'unspecified') return true
  const nowMs = performance.now()
  if (nowMs - refreshedMs > REFRESH_MS) {
    refreshedMs = nowMs
    const found = Object.values(networkInterfaces()).flatMap((entries) => entries ?? [])
    addresses = new Set(found.map((entry) => canonicalAddress(entry.address)))
  }
  return addresses.has(address)
}
