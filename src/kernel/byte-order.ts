import { endianness } from 'node:os'

/** Whether this machine writes the low byte first, as the heads of netlink's messages and socket addresses then do. */
export const littleEndian = endianness() === 'LE'
