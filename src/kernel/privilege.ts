// CAP_NET_ADMIN is asked for first: libnftables and IP_TRANSPARENT fail later and less clearly without it.

import { readFileSync } from 'node:fs'
import { AlgError } from '../errors.ts'

/** Bit 12 of a capability set: firewall rules, transparent sockets, conntrack events. */
const CAP_NET_ADMIN = 12n

/** Whether this process may change the firewall of its network namespace. False off Linux. */
export function hasNetAdmin(): boolean {
  try {
    return effectiveNetAdmin(readFileSync('/proc/self/status', 'latin1'))
  } catch {
    return false
  }
}

/**
 * Reads the line `CapEff:` of `/proc/self/status`, a set in hex.
 *
 * `'CapEff:\t0000000000001000'` gives true, `'CapEff:\t0000000000000400'` (CAP_NET_BIND_SERVICE) false.
 */
export function effectiveNetAdmin(status: string): boolean {
  const digits = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1]
  return digits !== undefined && ((BigInt(`0x${digits}`) >> CAP_NET_ADMIN) & 1n) === 1n
}

/** `need` says what asks for it, for example `'listeners[0].intercept: tproxy'`. Errors: PRIVILEGE_MISSING, exit 3. */
export function requireNetAdmin(need: string, granted: boolean = hasNetAdmin()): void {
  if (granted) return
  throw new AlgError('PRIVILEGE_MISSING', `${need} needs CAP_NET_ADMIN: ${netAdminCure}`, {
    context: { capability: 'CAP_NET_ADMIN', need },
  })
}

/** How to give it, in words that fit behind a colon. */
export const netAdminCure =
  'run as root, or set AmbientCapabilities=CAP_NET_ADMIN in the systemd unit, or add NET_ADMIN to securityContext.capabilities of the container'
