import { describe, expect, it } from 'vitest'
import { AlgError } from '../../../src/errors.ts'
import { inheritedSockets } from '../../../src/process/inherited-sockets.ts'

describe('inheritedSockets', () => {
  it('gives the sockets in order, with the names of their units', () => {
    const environment = { LISTEN_PID: '7', LISTEN_FDS: '2', LISTEN_FDNAMES: 'edge:admin' }
    expect(inheritedSockets(environment, { pid: 7 })).toEqual([
      { fd: 3, name: 'edge' },
      { fd: 4, name: 'admin' },
    ])
  })

  it('calls sockets unknown when nobody named them', () => {
    expect(inheritedSockets({ LISTEN_PID: '7', LISTEN_FDS: '1' }, { pid: 7 })).toEqual([
      { fd: 3, name: 'unknown' },
    ])
  })

  it('gives none without the variables, and none that were meant for another process', () => {
    expect(inheritedSockets({}, { pid: 7 })).toEqual([])
    expect(inheritedSockets({ LISTEN_PID: '8', LISTEN_FDS: '1' }, { pid: 7 })).toEqual([])
    expect(inheritedSockets({ LISTEN_FDS: '1' }, { pid: 7 })).toEqual([])
    expect(inheritedSockets({ LISTEN_PID: '7', LISTEN_FDS: '0' }, { pid: 7 })).toEqual([])
  })

  it.each(['-1', '1 ', 'x', '', '99999', '01'])('refuses the count %j', (count) => {
    expect(() => inheritedSockets({ LISTEN_PID: '7', LISTEN_FDS: count }, { pid: 7 })).toThrow(AlgError)
  })

  it('refuses more or fewer names than sockets', () => {
    const environment = { LISTEN_PID: '7', LISTEN_FDS: '2', LISTEN_FDNAMES: 'edge' }
    expect(() => inheritedSockets(environment, { pid: 7 })).toThrow(
      'LISTEN_FDNAMES: names 1 sockets (given edge, allowed 2, as LISTEN_FDS says)',
    )
  })
})
