import { describe, expect, it } from 'vitest'
import { AlgError } from '../../../src/errors.ts'
import { loadSplice, Pipe, type SpliceCalls } from '../../../src/kernel/splice.ts'

const noKoffi = () => Promise.reject(new AlgError('KERNEL_FEATURE_MISSING', 'koffi cannot be loaded'))
const mustNotLoad = () => Promise.reject(new Error('was asked for'))

describe('loading splice', () => {
  it('gives nothing, and no error, where koffi is absent', async () => {
    expect(await loadSplice({ platform: 'linux', arch: 'x64', loadFfi: noKoffi })).toBeNull()
  })

  it.each([
    ['darwin', 'arm64'],
    ['win32', 'x64'],
    ['linux', 's390x'],
  ])('does not even look for koffi on %s %s', async (platform, arch) => {
    let isAsked = false
    const loadFfi = () => {
      isAsked = true
      return mustNotLoad()
    }
    expect(await loadSplice({ platform, arch, loadFfi })).toBeNull()
    expect(isAsked).toBe(false)
  })
})

describe('a pipe', () => {
  /** A kernel that makes pipes of descriptors 7 and 8, `sizeBytes` large. */
  function kernel(sizeBytes: number): { calls: SpliceCalls; closed: number[] } {
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
