import { describe, expect, it } from 'vitest'
import { Pipe, type PipeCalls } from '../../../../src/tcp/relay/pipe.ts'

describe('a pipe', () => {
  /** A kernel that makes pipes of descriptors 7 and 8, `sizeBytes` large. */
  function kernel(sizeBytes: number): { calls: PipeCalls; closed: number[] } {
    const closed: number[] = []
    return {
      closed,
      calls: {
        pipe2: (pair) => {
          pair.set([7, 8])
          return 0
        },
        fcntl: () => sizeBytes,
        close: (fd) => {
          closed.push(fd)
          return 0
        },
        splice: () => -1,
        read: () => -1,
        errno: () => 11,
      },
    }
  }

  it('is not had when the kernel lets it be no larger, and leaves no descriptor behind', () => {
    const { calls, closed } = kernel(-1)
    expect(Pipe.open(calls)).toBeNull()
    expect(closed).toEqual([7, 8])
  })

  it('is not had when descriptors have run out', () => {
    const { calls, closed } = kernel(1024 * 1024)
    expect(Pipe.open({ ...calls, pipe2: () => -1 })).toBeNull()
    expect(closed).toEqual([])
  })

  it('closes each end once, for the numbers may be another one’s soon', () => {
    const { calls, closed } = kernel(1024 * 1024)
    const pipe = Pipe.open(calls)
    pipe?.close()
    pipe?.close()
    expect(closed).toEqual([7, 8])
  })

  it('tells the errno of a move that failed', () => {
    expect(Pipe.open(kernel(1024 * 1024).calls)?.fill(3)).toBe(-11)
  })
})
