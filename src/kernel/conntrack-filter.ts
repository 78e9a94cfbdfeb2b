// The program that keeps conntrack's other events out of our socket buffer.
// @see linux/filter.h; nlattr and nlattr_nest are its ancillary loads 12 and 16

import {
  CT_DELETE,
  CTA_MARK,
  CTA_PROTOINFO,
  CTA_PROTOINFO_TCP,
  CTA_PROTOINFO_TCP_STATE,
  TCP_CLOSE,
  TCP_TIME_WAIT,
} from './conntrack.ts'
import { ATTRIBUTE_HEAD, NFNETLINK_HEAD, NLM_F_CREATE } from './netlink.ts'

/** Bytes of one instruction, `struct sock_filter`. */
export const INSTRUCTION_BYTES = 8

/**
 * A classic BPF program: pass if the mark is ours, and it is a beginning, an end, or a change into a final state
 * (the other changes of state, four a connection, are of no use). Offsets count from the netlink header.
 *
 * ```
 *  0 ld  #20            first attribute
 *  1 ldx #CTA_MARK
 *  2 ld  nlattr         where the attribute is, 0 for nowhere
 *  3 jeq #0    -> drop
 *  4 tax
 *  5 ld  [x + 4]
 *  6 jne #mark -> drop
 *  7 ldb [4], [5]       message type and subsystem, byte order aside: the type's low byte
 *  8 jeq #DELETE -> pass
 *  9 ldh [6]            flags; NLM_F_CREATE
 * 10 jset #CREATE -> pass
 * 11 ld  #20
 * 12 ldx #CTA_PROTOINFO
 * 13 ld  nlattr
 * 14 jeq #0    -> drop
 * 15 ldx #CTA_PROTOINFO_TCP
 * 16 ld  nlattr_nest
 * 17 jeq #0    -> drop
 * 18 ldx #CTA_PROTOINFO_TCP_STATE
 * 19 ld  nlattr_nest
 * 20 jeq #0    -> drop
 * 21 tax
 * 22 ldb [x + 4]
 * 23 jeq #TIME_WAIT -> pass
 * 24 jeq #CLOSE     -> pass
 * 25 drop
 * 26 pass
 * ```
 */
export function filterProgram(mark: number): Uint8Array {
  const drop = 25
  const pass = 26
  const littleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1
  const program: Uint8Array[] = []
  const put = (code: number, k: number, whenTrue = -1, whenFalse = -1): void => {
    const bytes = new Uint8Array(INSTRUCTION_BYTES)
    const after = program.length + 1
    new Uint16Array(bytes.buffer, 0, 1)[0] = code
    bytes[2] = whenTrue < 0 ? 0 : whenTrue - after
    bytes[3] = whenFalse < 0 ? 0 : whenFalse - after
    new Uint32Array(bytes.buffer, 4, 1)[0] = k >>> 0
    program.push(bytes)
  }
  put(LD_IMM, NFNETLINK_HEAD)
  put(LDX_IMM, CTA_MARK)
  put(LD_ABS, NLATTR)
  put(JEQ, 0, drop)
  put(TAX, 0)
  put(LD_IND, ATTRIBUTE_HEAD)
  put(JEQ, mark, -1, drop)
  put(LDB_ABS, littleEndian ? 4 : 5)
  put(JEQ, CT_DELETE & 0xff, pass)
  // The 16-bit load is in network order: NLM_F_CREATE (0x0400) is seen swapped on little-endian machines.
  put(LDH_ABS, 6)
  put(JSET, littleEndian ? NLM_F_CREATE >> 8 : NLM_F_CREATE, pass)
  put(LD_IMM, NFNETLINK_HEAD)
  put(LDX_IMM, CTA_PROTOINFO)
  put(LD_ABS, NLATTR)
  put(JEQ, 0, drop)
  put(LDX_IMM, CTA_PROTOINFO_TCP)
  put(LD_ABS, NLATTR_NEST)
  put(JEQ, 0, drop)
  put(LDX_IMM, CTA_PROTOINFO_TCP_STATE)
  put(LD_ABS, NLATTR_NEST)
  put(JEQ, 0, drop)
  put(TAX, 0)
  put(LDB_IND, ATTRIBUTE_HEAD)
  put(JEQ, TCP_TIME_WAIT, pass)
  put(JEQ, TCP_CLOSE, pass)
  put(RET, 0)
  put(RET, 0xffffffff)
  return Buffer.concat(program)
}

const LD_IMM = 0x00
const LDX_IMM = 0x01
const LD_ABS = 0x20
const LDH_ABS = 0x28
const LDB_ABS = 0x30
const LD_IND = 0x40
const LDB_IND = 0x50
const JEQ = 0x15
const JSET = 0x45
const TAX = 0x07
const RET = 0x06
/** SKF_AD_OFF (-0x1000) and the two netlink loads above it. */
const NLATTR = -0x1000 + 12
const NLATTR_NEST = -0x1000 + 16
