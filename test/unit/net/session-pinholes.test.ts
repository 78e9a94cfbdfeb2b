// What the observer is told of pinholes that end before they are open, or with the backend that they really had.

import { expect, test } from 'vitest'
import type { Event } from '../../../src/engine/contract.ts'
import { SessionPinholes } from '../../../src/net/data/pinholes.ts'
import type { OpenPinhole, PinholeBackend } from '../../../src/pinhole/backend.ts'
import { observe } from '../observe/fixture.ts'

function lateBackend() {
  let opened: ((error: Error | null, pinhole: OpenPinhole | null) => void) | null = null
  let closed = 0
  const backend: PinholeBackend = {
    name: 'nftables',
    open: (_request, _events, done) => {
      opened = done
      return {
        close: () => {
          closed += 1
        },
        prolong: () => undefined,
      }
    },
    closeAll: async () => undefined,
    use: () => [],
  }
  const { observer, linesOf } = observe()
  const events: Event[] = []
  const pinholes = new SessionPinholes(
    {
      observer: observer.sessionOpened({ listener: 'edge', client: { address: '192.0.2.9', port: 40_001 } }),
      backend,
      pinholeTimeoutMs: 60_000,
      dataPeers: { client: [], server: [] },
      addresses: {
        peer: () => '192.0.2.9',
        local: () => '198.51.100.1',
        announce: (_side: unknown, at: unknown) => at,
      } as never,
      isWorkedOn: () => false,
      emit: (event) => events.push(event),
    },
    () => undefined,
  )
  const spec = { channel: 1, mode: 'passive', from: 'client', target: null, isPrivate: false } as const
  pinholes.open({ pinhole: 1, ...spec })
  return {
    pinholes,
    observer,
    linesOf,
    closed: () => closed,
    open: () => opened?.(null, { at: { address: '198.51.100.1', port: 30_000 }, inKernel: true }),
  }
}

test('a pinhole given up before it was open was never opened, so it is not closed either', async () => {
  const { pinholes, observer, linesOf, closed } = lateBackend()
  pinholes.closeAll('session_end')
  expect(closed()).toBe(1)
  expect(linesOf('pinhole.open')).toEqual([])
  expect(linesOf('pinhole.close')).toEqual([])
  expect(await observer.exposition()).not.toMatch(/^ftp_alg_pinholes_closed_total\{.*\} [1-9]/m)
})

test('one that was open is closed with the backend that it had', () => {
  const { pinholes, linesOf, open } = lateBackend()
  open()
  pinholes.closeAll('session_end')
  expect(linesOf('pinhole.open')).toMatchObject([{ backend: 'nftables' }])
  expect(linesOf('pinhole.close')).toMatchObject([{ backend: 'nftables', reason: 'session_end' }])
})
