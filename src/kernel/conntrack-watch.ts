// Tells when connections with our mark begin and end, as the kernel tells it: by conntrack's multicast groups,
// with a filter in the kernel so that the rest of a busy gateway's traffic never wakes us.

import {
  CT_DELETE,
  CT_NEW,
  type FlowBytes,
  type FlowKey,
  type FlowReport,
  readBytes,
  readFlow,
  readKey,
  readState,
} from './conntrack.ts'
import { type ConntrackFilter, filterProgram, INSTRUCTION_BYTES } from './conntrack-filter.ts'
import { type Libc, SOL_SOCKET, syscallError } from './libc.ts'
import { eachMessage, type NetlinkMessage } from './netlink.ts'
import { openNetfilter } from './netlink-socket.ts'
import { type DatagramSocket, readDatagrams } from './netlink-stream.ts'

export interface ConntrackEvents {
  /** It was let through everything, and its target has answered. */
  readonly began: (report: FlowReport) => void
  /** Both sides have closed, or one reset. Its counters are still to be asked for (`findFlow`). */
  readonly closed: (key: FlowKey, how: 'closed' | 'reset') => void
  /** Conntrack has forgotten one that was reset, or never closed, with final counters. */
  readonly forgotten: (key: FlowKey, bytes: FlowBytes | null) => void
  /** Events were lost, because more came than the buffer holds. Watching goes on; ask for what you need. */
  readonly lost: () => void
}

export interface ConntrackWatch {
  /** Reads the events that wait now, before the event loop comes to them. */
  catchUp(): void
  close(): void
}

export interface ConntrackWatchOptions extends ConntrackFilter {
  /** What the kernel keeps for us while we are busy; default 4 MiB, some thousand events. */
  readonly bufferBytes?: number
}

/**
 * Watches TCP connections to our ports with our mark in conntrack. Does not keep the process alive.
 *
 * Errors: PRIVILEGE_MISSING, KERNEL_FEATURE_MISSING.
 */
export function watchConntrack(
  libc: Libc,
  options: ConntrackWatchOptions,
  events: ConntrackEvents,
): ConntrackWatch {
  let datagrams: DatagramSocket | null = null
  let retry: NodeJS.Timeout | null = null
  let closed = false
  const start = (): void => {
    datagrams = readDatagrams(libc, subscribe(libc, options), (datagram) => deliver(datagram, events))
    // ENOBUFS ends Node's stream. Nothing is wrong with the kernel's side: subscribe again and say so.
    datagrams.socket.once('error', restart)
  }
  const restart = (): void => {
    if (closed) return
    try {
      start()
      events.lost()
    } catch {
      retry = setTimeout(restart, RETRY_MS).unref()
    }
  }
  start()
  return {
    catchUp: () => datagrams?.readNow(),
    close() {
      closed = true
      if (retry !== null) clearTimeout(retry)
      datagrams?.socket.destroy()
    },
  }
}

function deliver(datagram: DataView, events: ConntrackEvents): void {
  eachMessage(datagram, (message) => {
    if (message.type === CT_DELETE) {
      const key = readKey(datagram, message)
      if (key !== null) events.forgotten(key, readBytes(datagram, message))
    } else if (message.type === CT_NEW) {
      changed(datagram, message, events)
    }
  })
}

function changed(datagram: DataView, message: NetlinkMessage, events: ConntrackEvents): void {
  const state = readState(datagram, message)
  switch (state) {
    case 'opening':
      return
    case 'open': {
      const report = readFlow(datagram, message)
      if (report !== null) events.began(report)
      return
    }
    case 'closed':
    case 'reset': {
      const key = readKey(datagram, message)
      if (key !== null) events.closed(key, state)
    }
  }
}

function subscribe(libc: Libc, { bufferBytes, ...filter }: ConntrackWatchOptions): number {
  const groups = GROUP_UPDATE | GROUP_DESTROY
  const fd = openNetfilter(libc, bufferBytes === undefined ? { groups } : { groups, bufferBytes })
  const program = filterProgram(filter)
  // struct sock_fprog: the number of instructions, then a pointer to them.
  const head = new Uint8Array(16)
  new Uint16Array(head.buffer, 0, 1)[0] = program.length / INSTRUCTION_BYTES
  new BigUint64Array(head.buffer, 8, 1)[0] = libc.addressOf(program)
  if (libc.setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, head, head.length) !== 0) {
    const error = syscallError(libc, 'KERNEL_FEATURE_MISSING', 'setsockopt(SO_ATTACH_FILTER)')
    libc.close(fd)
    throw error
  }
  return fd
}

/** When the kernel would not take a new subscription, for want of memory or descriptors. */
const RETRY_MS = 1000
const GROUP_UPDATE = 2
const GROUP_DESTROY = 4
const SO_ATTACH_FILTER = 26
