// A pinhole as elements of our sets. Pure: from addresses to bytes.

import type { PinholeSets } from '../../firewall/pinhole-table.ts'
import { type Family, familyOf } from '../../ftp/addresses.ts'
import type { Endpoint } from '../../ftp/endpoints.ts'
import type { ElementChange, ElementName, SetName } from '../../kernel/nft-elements.ts'
import { addressBytes } from '../../kernel/sockaddr.ts'

/** One hole in the firewall. */
export interface Hole {
  /** The one address that may come, and where. */
  readonly peer: string
  readonly at: Endpoint
  /** Others may come in the peer's place: whoever of the networks that the table lists. */
  readonly isWide?: boolean
  /** Where the kernel sends it; null when it arrives where it was sent. */
  readonly forward: Endpoint | null
  /** The address the target sees instead of the peer's; null leaves it. */
  readonly source: string | null
  /** The port the target sees too, where that matters; 0 or absent leaves it to the kernel. */
  readonly sourcePort?: number
  readonly timeoutMs: number
  /** Session id, shown by `nft list table ip ftp_alg`. */
  readonly owner: string
}

/** Sets of the administrator's own that list who is let through; see `theirSets`. */
export interface TheirSets {
  readonly ip: SetName | null
  readonly ip6: SetName | null
}

/** Where the elements of a hole go. */
export interface HoleSets {
  readonly own: Readonly<Record<Family, PinholeSets>>
  readonly theirs: TheirSets
}

/**
 * The changes that open a hole.
 *
 * ```
 * add element ip ftp_alg forward { 10.0.0.5 . 192.0.2.1 . 40001 timeout 63s comment "k3v9x0q2m1" : 198.51.100.9 . 5001 }
 * add element ip ftp_alg source  { 10.0.0.5 . 192.0.2.1 . 40001 timeout 63s : 198.51.100.1 }
 * add element ip ftp_alg once    { 10.0.0.5 . 192.0.2.1 . 40001 timeout 61s comment "k3v9x0q2m1" }
 * add element inet filter ftp    { 10.0.0.5 . 198.51.100.9 . 5001 timeout 63s }   # theirs, as their chains see it
 * ```
 *
 * The kernel's timeouts are longer than the pinhole's, which we end ourselves: they are for when we cannot.
 */
export function openHole(hole: Hole, { own, theirs }: HoleSets): readonly ElementChange[] {
  const { peer, at, forward, source, owner, isWide = false } = hole
  const family = familyOf(at.address)
  const sets = own[family]
  const key = holeKey(peer, at)
  const timeoutMs = hole.timeoutMs + SPARE_MS + MAP_SPARE_MS
  const changes: ElementChange[] = []
  if (forward !== null) {
    changes.push({
      action: 'add',
      set: sets.forward,
      key,
      value: endpointBytes(forward),
      timeoutMs,
      comment: owner,
    })
  }
  if (source !== null) changes.push({ action: 'add', key, timeoutMs, ...translation(hole, source, sets) })
  changes.push({
    action: 'add',
    set: sets.once,
    key,
    timeoutMs: hole.timeoutMs + SPARE_MS,
    comment: owner,
  })
  if (isWide) changes.push({ action: 'add', set: sets.wide, key: placeKey(at), timeoutMs, comment: owner })
  const admit = family === 4 ? theirs.ip : theirs.ip6
  if (admit !== null) {
    changes.push({ action: 'add', set: admit, key: holeKey(peer, forward ?? at), timeoutMs, comment: owner })
  }
  return changes
}

/** The element that lets the peer in; gone when it came and was answered. */
export function doorOf({ peer, at }: Pick<Hole, 'peer' | 'at'>, { own }: HoleSets): ElementName {
  return { set: own[familyOf(at.address)].once, key: holeKey(peer, at) }
}

/** Takes away the rest. Connections that came through keep their translation in conntrack. */
export function sweepHole(hole: Hole, { own, theirs }: HoleSets): readonly ElementChange[] {
  const { peer, at, forward, source, isWide = false } = hole
  const family = familyOf(at.address)
  const sets = own[family]
  const key = holeKey(peer, at)
  const admit = family === 4 ? theirs.ip : theirs.ip6
  const changes: ElementChange[] = []
  if (isWide) changes.push({ action: 'destroy', set: sets.wide, key: placeKey(at) })
  if (forward !== null) changes.push({ action: 'destroy', set: sets.forward, key })
  if (source !== null) changes.push({ action: 'destroy', set: translation(hole, source, sets).set, key })
  if (admit !== null) changes.push({ action: 'destroy', set: admit, key: holeKey(peer, forward ?? at) })
  return changes
}

/** Peer address, address and port, each padded to four bytes, as a concatenated key has them. */
export function holeKey(peer: string, at: Endpoint): Uint8Array {
  const from = addressBytes(peer)
  const to = placeKey(at)
  const key = new Uint8Array(from.length + to.length)
  key.set(from)
  key.set(to, from.length)
  return key
}

/** The same without the peer. */
function placeKey({ address, port }: Endpoint): Uint8Array {
  const to = addressBytes(address)
  const key = new Uint8Array(to.length + PORT_BYTES)
  key.set(to)
  putPort(key, port)
  return key
}

/** How much longer than the pinhole the kernel keeps its elements. */
const SPARE_MS = 1000
/** The maps outlive the element that lets a connection in, or it would come in and go nowhere. */
const MAP_SPARE_MS = 2000
const PORT_BYTES = 4

/** Which map says what the target sees, and what it says. */
function translation({ sourcePort = 0 }: Hole, address: string, sets: PinholeSets) {
  return sourcePort === 0
    ? { set: sets.source, value: addressBytes(address) }
    : { set: sets.call, value: endpointBytes({ address, port: sourcePort }) }
}

function endpointBytes({ address, port }: Endpoint): Uint8Array {
  const to = addressBytes(address)
  const value = new Uint8Array(to.length + PORT_BYTES)
  value.set(to)
  putPort(value, port)
  return value
}

/** A port in network order, padded behind. */
function putPort(bytes: Uint8Array, port: number): void {
  bytes[bytes.length - PORT_BYTES] = port >> 8
  bytes[bytes.length - PORT_BYTES + 1] = port & 0xff
}
