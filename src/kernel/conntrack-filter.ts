// The program that keeps conntrack's other events out of our socket buffer, in classic BPF.
// @see linux/filter.h; nlattr and nlattr_nest are its ancillary loads 12 and 16

import { littleEndian } from './byte-order.ts'
import {
  CT_DELETE,
  CTA_MARK,
  CTA_PROTO_DST_PORT,
  CTA_PROTOINFO,
  CTA_PROTOINFO_TCP,
  CTA_PROTOINFO_TCP_STATE,
  CTA_TUPLE_ORIG,
  CTA_TUPLE_PROTO,
  TCP_CLOSE,
  TCP_SYN_RECV,
  TCP_TIME_WAIT,
} from './conntrack.ts'
import { ATTRIBUTE_HEAD, NFNETLINK_HEAD } from './netlink.ts'

/** Bytes of one instruction, `struct sock_filter`. */
export const INSTRUCTION_BYTES = 8

export interface ConntrackFilter {
  readonly mark: number
  /** Ports that connections go to, before any translation; inclusive. */
  readonly ports: { readonly first: number; readonly last: number }
}

/**
 * Passes what has our mark, goes to one of our ports, and was just answered, has just closed, or is forgotten without
 * having closed by FIN: a first packet means nothing yet, and the other changes of state are of no use, nor are control
 * connections with the same mark. Of what goes to our ports without our mark, because it came too late or to no pinhole, it
 * passes only the reset and that such a one is forgotten.
 */
export function filterProgram({ mark, ports }: ConntrackFilter): Uint8Array {
  return assemble({
    ours: [
      ...attribute('drop', CTA_TUPLE_ORIG, CTA_TUPLE_PROTO, CTA_PROTO_DST_PORT),
      { code: LDH_IND, k: ATTRIBUTE_HEAD },
      { code: JGE, k: ports.first, no: 'drop' },
      { code: JGT, k: ports.last, yes: 'drop' },
      ...attribute('unmarked', CTA_MARK),
      { code: LD_IND, k: ATTRIBUTE_HEAD },
      { code: JEQ, k: mark, no: 'unmarked' },
      // Message type and subsystem are one 16-bit value in the machine's order: the type is its low byte.
      { code: LDB_ABS, k: littleEndian ? 4 : 5 },
      { code: JEQ, k: CT_DELETE & 0xff, no: 'changed' },
    ],
    forgotten: [
      // Kernels before 5.10 do not say in which state it was.
      ...attribute('pass', CTA_PROTOINFO, CTA_PROTOINFO_TCP, CTA_PROTOINFO_TCP_STATE),
      { code: LDB_IND, k: ATTRIBUTE_HEAD },
      { code: JEQ, k: TCP_TIME_WAIT, yes: 'drop', no: 'pass' },
    ],
    changed: [
      ...attribute('drop', CTA_PROTOINFO, CTA_PROTOINFO_TCP, CTA_PROTOINFO_TCP_STATE),
      { code: LDB_IND, k: ATTRIBUTE_HEAD },
      { code: JEQ, k: TCP_SYN_RECV, yes: 'pass' },
      { code: JEQ, k: TCP_TIME_WAIT, yes: 'pass' },
      { code: JEQ, k: TCP_CLOSE, yes: 'pass', no: 'drop' },
    ],
    unmarked: [
      ...attribute('drop', CTA_PROTOINFO, CTA_PROTOINFO_TCP, CTA_PROTOINFO_TCP_STATE),
      { code: LDB_IND, k: ATTRIBUTE_HEAD },
      { code: JEQ, k: TCP_CLOSE, yes: 'pass', no: 'drop' },
    ],
  })
}

type Target = 'pass' | 'drop' | 'changed' | 'unmarked'

interface Instruction {
  readonly code: number
  readonly k: number
  /** Where a jump goes; otherwise on to the next instruction. */
  readonly yes?: Target
  readonly no?: Target
}

/** Puts the offset of an attribute (in an attribute, in an attribute) into X, or goes elsewhere when it is not there. */
function attribute(otherwise: Target, outer: number, ...inner: readonly number[]): readonly Instruction[] {
  const absent = { code: JEQ, k: 0, yes: otherwise }
  return [
    { code: LD_IMM, k: NFNETLINK_HEAD },
    { code: LDX_IMM, k: outer },
    { code: LD_ABS, k: NLATTR },
    absent,
    ...inner.flatMap((type) => [{ code: LDX_IMM, k: type }, { code: LD_ABS, k: NLATTR_NEST }, absent]),
    { code: TAX, k: 0 },
  ]
}

type Blocks = Readonly<Record<'ours' | 'forgotten' | 'changed' | 'unmarked', readonly Instruction[]>>

/** Two returns follow the instructions: first drop, then pass. */
function assemble({ ours, forgotten, changed, unmarked }: Blocks): Uint8Array {
  const instructions = [...ours, ...forgotten, ...changed, ...unmarked]
  const targets = {
    changed: ours.length + forgotten.length,
    unmarked: ours.length + forgotten.length + changed.length,
    drop: instructions.length,
    pass: instructions.length + 1,
  }
  const program = new Uint8Array((instructions.length + 2) * INSTRUCTION_BYTES)
  const view = new DataView(program.buffer)
  const put = (index: number, { code, k, yes, no }: Instruction) => {
    const at = index * INSTRUCTION_BYTES
    view.setUint16(at, code, littleEndian)
    view.setUint8(at + 2, yes === undefined ? 0 : targets[yes] - index - 1)
    view.setUint8(at + 3, no === undefined ? 0 : targets[no] - index - 1)
    view.setUint32(at + 4, k >>> 0, littleEndian)
  }
  instructions.forEach((instruction, index) => {
    put(index, instruction)
  })
  put(targets.drop, { code: RET, k: 0 })
  put(targets.pass, { code: RET, k: 0xffffffff })
  return program
}

const LD_IMM = 0x00
const LDX_IMM = 0x01
const LD_ABS = 0x20
const LDB_ABS = 0x30
const LD_IND = 0x40
const LDH_IND = 0x48
const LDB_IND = 0x50
const JEQ = 0x15
const JGT = 0x25
const JGE = 0x35
const TAX = 0x07
const RET = 0x06
/** SKF_AD_OFF (-0x1000) and the two netlink loads above it. */
const NLATTR = -0x1000 + 12
const NLATTR_NEST = -0x1000 + 16
