// Set and map elements by netlink, without libnftables: 20 to 30 µs for the three elements of a pinhole on any
// machine, where libnftables takes 140 µs on an empty one and milliseconds beside a large rule set. Values are
// bytes from start to end, so there is no text into which anything could be injected (S31).
// @see linux/netfilter/nf_tables.h

import type { ErrorCode } from '../errors.ts'
import { errorFromErrno } from './libc.ts'
import {
  answerErrno,
  eachAttribute,
  NetlinkWriter,
  NFGENMSG,
  NFNL_SUBSYS_NFTABLES,
  NLM_F_ACK,
  NLM_F_CREATE,
  NLM_F_REQUEST,
  NLMSG_ERROR,
} from './netlink.ts'
import { type NetlinkSocket, requireUnknown } from './netlink-socket.ts'

/** A set or map, as `nft` names it: `inet filter ftp_data`. */
export interface SetName {
  readonly family: 'ip' | 'ip6' | 'inet'
  readonly table: string
  readonly set: string
}

export interface ElementName {
  readonly set: SetName
  /** The parts of a concatenation one after another, each padded to four bytes. */
  readonly key: Uint8Array
}

/** `add element`, `delete element` or `destroy element`. Adding what is there with the same value succeeds. */
export interface ElementChange extends ElementName {
  /**
   * `destroy` does not mind that there is nothing to delete. A `delete` that does makes the whole transaction fail, and
   * that triggers an RCU grace period, about 10 ms, during which our call blocks.
   */
  readonly action: 'add' | 'delete' | 'destroy'
  /** What a map gives for the key, in the same layout as the key. */
  readonly value?: Uint8Array
  /** The kernel removes the element on its own after this time. */
  readonly timeoutMs?: number
  /** Shown by `nft list`; up to 128 characters. */
  readonly comment?: string
}

/** The change at `index` of those asked for is why nothing was done. */
export interface ElementFailure {
  readonly index: number
  /** 2 ENOENT: no such element, set or table. 17 EEXIST: there with another value. */
  readonly errno: number
}

/**
 * Carries out changes in one transaction: all of them, with an empty answer, or none, with the reasons. It is sent once
 * more when the answer is lost: adding what is there and destroying what is gone both succeed.
 *
 * Errors: `AlgError` with `code`, or PRIVILEGE_MISSING, when the whole batch was turned away, or when its answer was lost
 * twice: then it is unknown whether it was carried out.
 */
export function changeElements(
  socket: NetlinkSocket,
  changes: readonly ElementChange[],
  code: ErrorCode,
): readonly ElementFailure[] {
  return socket.insist(() => {
    const first = writeBatch(writer, changes)
    const failures: ElementFailure[] = []
    socket.exchange(writer, code, (received, message) => {
      if (message.type !== NLMSG_ERROR) return false
      const errno = answerErrno(received, message)
      const index = (message.sequence - first) | 0
      if (index < 0 || index >= changes.length) {
        throw errorFromErrno(errno, code, `nftables transaction of ${changes.length} elements`)
      }
      if (errno !== 0) failures.push({ index, errno })
      // Answers come in order, and only the last change is answered whatever became of it.
      return index === changes.length - 1
    })
    return failures
  })
}

/**
 * How many packets have matched an element of a set with counters; null when the element is not there.
 *
 * Errors: `AlgError` with `code` when the kernel does not take the question.
 */
export function countMatches(socket: NetlinkSocket, element: ElementName, code: ErrorCode): number | null {
  return socket.insist(() => {
    writer.reset()
    writeMessage(writer, { type: NFT_MSG_GETSETELEM, flags: NLM_F_REQUEST }, element)
    let count: number | null = null
    // One question, one answer: the element or an error.
    socket.exchange(writer, code, (received, message) => {
      const { type, start, end } = message
      if (type === NFT_MSG_NEWSETELEM) count = readCounter(received, start + NFGENMSG, end)
      else requireUnknown(received, message, { code, call: 'nft get element' })
      return true
    })
    return count
  })
}

/** Whether the kernel knows `destroy` (Linux 6.3). The set must exist, the key need not. Errors: see `changeElements`. */
export function knowsDestroy(socket: NetlinkSocket, { set, key }: ElementName, code: ErrorCode): boolean {
  return changeElements(socket, [{ action: 'destroy', set, key }], code).length === 0
}

/** Bytes a change may take in a message, with names and values of the longest kind. */
export const ELEMENT_BYTES_MAX = 400

/** Writes a whole transaction and returns the sequence number of the first change. */
export function writeBatch(to: NetlinkWriter, changes: readonly ElementChange[]): number {
  to.reset()
  const begin = to.beginMessage(batchEdge(NFNL_MSG_BATCH_BEGIN))
  to.endMessage()
  changes.forEach((change, index) => {
    writeChange(to, change, index === changes.length - 1)
  })
  to.beginMessage(batchEdge(NFNL_MSG_BATCH_END))
  to.endMessage()
  return begin + 1
}

const NFNL_MSG_BATCH_BEGIN = 0x10
const NFNL_MSG_BATCH_END = 0x11
const NFT_MSG_NEWSETELEM = (NFNL_SUBSYS_NFTABLES << 8) | 12
const NFT_MSG_GETSETELEM = (NFNL_SUBSYS_NFTABLES << 8) | 13
const NFT_MSG_DELSETELEM = (NFNL_SUBSYS_NFTABLES << 8) | 14
const NFT_MSG_DESTROYSETELEM = (NFNL_SUBSYS_NFTABLES << 8) | 30
const NFTA_SET_ELEM_LIST_TABLE = 1
const NFTA_SET_ELEM_LIST_SET = 2
const NFTA_SET_ELEM_LIST_ELEMENTS = 3
const NFTA_LIST_ELEM = 1
const NFTA_SET_ELEM_KEY = 1
const NFTA_SET_ELEM_DATA = 2
const NFTA_SET_ELEM_TIMEOUT = 4
const NFTA_SET_ELEM_USERDATA = 6
const NFTA_SET_ELEM_EXPR = 7
const NFTA_DATA_VALUE = 1
const NFTA_EXPR_DATA = 2
const NFTA_COUNTER_PACKETS = 2
/** In an element's user data: type, length, text with NUL. libnftables' own convention for comments. */
const UDATA_COMMENT = 0
const COMMENT_MAX = 128

const messageTypes = {
  add: NFT_MSG_NEWSETELEM,
  delete: NFT_MSG_DELSETELEM,
  destroy: NFT_MSG_DESTROYSETELEM,
} as const satisfies Record<ElementChange['action'], number>

const nfproto = { inet: 1, ip: 2, ip6: 10 } as const satisfies Record<SetName['family'], number>

/** Batches are as long as the caller makes them; `transactions.ts` keeps them below this. */
const writer = new NetlinkWriter(256 * 1024)

function batchEdge(type: number) {
  return { type, flags: NLM_F_REQUEST, family: 0, resource: NFNL_SUBSYS_NFTABLES }
}

function writeChange(to: NetlinkWriter, change: ElementChange, last: boolean): void {
  const { action } = change
  const flags = NLM_F_REQUEST | (action === 'add' ? NLM_F_CREATE : 0) | (last ? NLM_F_ACK : 0)
  writeMessage(to, { type: messageTypes[action], flags }, change)
}

/** One message about one element; what `add` needs beside its name is written where it is given. */
function writeMessage(
  to: NetlinkWriter,
  { type, flags }: { readonly type: number; readonly flags: number },
  element: ElementName | ElementChange,
): void {
  const { set, key } = element
  to.beginMessage({ type, flags, family: nfproto[set.family] })
  to.attributes(nameOf(set))
  to.beginNested(NFTA_SET_ELEM_LIST_ELEMENTS)
  to.beginNested(NFTA_LIST_ELEM)
  writeData(to, NFTA_SET_ELEM_KEY, key)
  if ('action' in element && element.action === 'add') writeContents(to, element)
  to.endNested()
  to.endNested()
  to.endMessage()
}

/** The two attributes that say which set; laid out once for each. */
function nameOf(set: SetName): Uint8Array {
  const known = names.get(set)
  if (known !== undefined) return known
  // Attributes alone: a message begun here would take a number out of the batch that is being written.
  const to = new NetlinkWriter(NAME_BYTES_MAX)
  to.text(NFTA_SET_ELEM_LIST_TABLE, set.table)
  to.text(NFTA_SET_ELEM_LIST_SET, set.set)
  const name = to.written().slice()
  names.set(set, name)
  return name
}

const names = new WeakMap<SetName, Uint8Array>()
/** Two names of up to 255 characters. */
const NAME_BYTES_MAX = 1024

function writeContents(to: NetlinkWriter, { value, timeoutMs, comment }: ElementChange): void {
  if (value !== undefined) writeData(to, NFTA_SET_ELEM_DATA, value)
  if (timeoutMs !== undefined) to.uint64(NFTA_SET_ELEM_TIMEOUT, timeoutMs)
  if (comment === undefined) return
  const text = comment.slice(0, COMMENT_MAX)
  to.text(NFTA_SET_ELEM_USERDATA, String.fromCharCode(UDATA_COMMENT, text.length + 1) + text)
}

function writeData(to: NetlinkWriter, type: number, value: Uint8Array): void {
  to.beginNested(type)
  to.bytes(NFTA_DATA_VALUE, value)
  to.endNested()
}

/** Packets of the first counter in an element; 0 where there is none. Exact to 2^53. */
function readCounter(received: DataView, start: number, end: number): number {
  let packets = 0
  const path = [NFTA_SET_ELEM_LIST_ELEMENTS, NFTA_LIST_ELEM, NFTA_SET_ELEM_EXPR, NFTA_EXPR_DATA]
  const descend = (from: number, to: number, depth: number): void => {
    eachAttribute(received, from, to, (type, valueStart, valueEnd) => {
      if (depth === path.length) {
        if (type === NFTA_COUNTER_PACKETS) packets = Number(received.getBigUint64(valueStart))
      } else if (type === path[depth]) {
        descend(valueStart, valueEnd, depth + 1)
      }
    })
  }
  descend(start, end, 0)
  return packets
}
