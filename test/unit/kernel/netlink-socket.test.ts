// Answers of the kernel that are lost, late, or to an earlier question. The kernel here is a script.

import { describe, expect, it } from 'vitest'
import { EAGAIN, ENOBUFS, type Libc } from '../../../src/kernel/libc.ts'
import { NetlinkWriter, NLM_F_REQUEST, NLMSG_ERROR } from '../../../src/kernel/netlink.ts'
import { NetlinkSocket } from '../../../src/kernel/netlink-socket.ts'
import { changeElements, type ElementChange } from '../../../src/kernel/nft-elements.ts'

const EINTR = 4

/** Answers every message that wants an acknowledgement with errno 0; `faults` are what recv fails with first. */
class ScriptedKernel {
  /** Batches that were carried out. */
  carriedOut = 0
  readonly faults: number[] = []
  /** Answers are kept back: as if the kernel came to them later. */
  isLate = false
  /** What waits in each open socket. */
  readonly #queues = new Map<number, Uint8Array[]>()
  #nextFd = 100
  #errno = 0

  get openSockets(): number {
    return this.#queues.size
  }

  readonly libc = {
    socket: () => {
      this.#nextFd += 1
      this.#queues.set(this.#nextFd, [])
      return this.#nextFd
    },
    setsockopt: () => 0,
    bind: () => 0,
    close: (fd: number) => (this.#queues.delete(fd) ? 0 : -1),
    send: (fd: number, bytes: Uint8Array, length: number) => {
      this.carriedOut += 1
      this.#queues.get(fd)?.push(acknowledgement(bytes, length))
      return length
    },
    recv: (fd: number, bytes: Uint8Array) => {
      const fault = this.faults.shift() ?? (this.isLate ? EAGAIN : 0)
      const next = fault === 0 ? this.#queues.get(fd)?.shift() : undefined
      if (next === undefined) {
        this.#errno = fault === 0 ? EAGAIN : fault
        return -1
      }
      bytes.set(next)
      return next.length
    },
    errno: () => this.#errno,
  } as unknown as Libc
}

/** Of the last message but one: the last of a batch is its end. */
function acknowledgement(bytes: Uint8Array, length: number): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, length)
  const sequences: number[] = []
  for (let at = 0; at < length; at += (view.getUint32(at, true) + 3) & ~3) {
    sequences.push(view.getUint32(at + 8, true))
  }
  const answer = new DataView(new ArrayBuffer(36))
  answer.setUint32(0, 36, true)
  answer.setUint16(4, NLMSG_ERROR, true)
  answer.setUint32(8, sequences.at(-2) ?? sequences.at(-1) ?? 0, true)
  return new Uint8Array(answer.buffer)
}

const change: ElementChange = {
  action: 'add',
  set: { family: 'ip', table: 'ftp_alg', set: 'once' },
  key: new Uint8Array(12),
}

describe('a question to netfilter', () => {
  it.each([
    ['ENOBUFS', ENOBUFS],
    ['EINTR', EINTR],
    ['no answer at all', EAGAIN],
  ])('is asked again over another socket when the answer is lost (%s)', (_, errno) => {
    const kernel = new ScriptedKernel()
    const socket = new NetlinkSocket(kernel.libc)
    kernel.faults.push(errno)
    expect(changeElements(socket, [change], 'PINHOLE_FAILED')).toEqual([])
    expect(kernel.carriedOut).toBe(2)
    expect(kernel.openSockets).toBe(1)
    expect(changeElements(socket, [change], 'PINHOLE_FAILED')).toEqual([])
    expect(kernel.carriedOut).toBe(3)
  })

  it('fails when the answer is lost twice, and the next one succeeds', () => {
    const kernel = new ScriptedKernel()
    const socket = new NetlinkSocket(kernel.libc)
    kernel.isLate = true
    expect(() => changeElements(socket, [change], 'PINHOLE_FAILED')).toThrow(
      expect.objectContaining({ code: 'PINHOLE_FAILED', message: expect.stringContaining('not answered') }),
    )
    kernel.isLate = false
    for (let count = 0; count < 10; count += 1) {
      expect(changeElements(socket, [change], 'PINHOLE_FAILED')).toEqual([])
    }
    socket.close()
    expect(kernel.openSockets).toBe(0)
  })

  it('is not answered by what answers an earlier one', () => {
    const kernel = new ScriptedKernel()
    const socket = new NetlinkSocket(kernel.libc)
    const writer = new NetlinkWriter(64)
    const ask = () => {
      writer.reset()
      const sequence = writer.beginMessage({ type: 1, flags: NLM_F_REQUEST, family: 0 })
      writer.endMessage()
      return sequence
    }
    ask()
    // The reader has had enough before the answer is read to its end.
    expect(() =>
      socket.exchange(writer, 'RUNTIME_FAILED', () => {
        kernel.libc.send(101, writer.written(), writer.length, 0)
        throw new Error('odd')
      }),
    ).toThrow('odd')
    const wanted = ask()
    const heard: number[] = []
    socket.exchange(writer, 'RUNTIME_FAILED', (_, { sequence }) => heard.push(sequence) > 0)
    expect(heard).toEqual([wanted])
  })
})
