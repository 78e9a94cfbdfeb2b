import { Socket } from 'node:net'
import { describe, expect, test } from 'vitest'
import { DataEnd } from './data-end.ts'
import { isWhole, judge } from './judge.ts'
import { planSession, type TransferPlan } from './plan.ts'
import { SessionRun, type TransferRun } from './session-run.ts'

type End = Partial<Pick<DataEnd, 'sent' | 'received' | 'own' | 'ending' | 'isIntact'>>

const size = 100
const sent: End = { sent: size, own: 'fin', ending: 'fin' }
const got: End = { received: size, own: 'fin', ending: 'fin' }

/** A transfer of 100 bytes as both saw it; a null end is no data connection. */
function transferOf(
  { isUpload, kind }: { isUpload: boolean; kind: TransferPlan['fault']['kind'] },
  { client, server }: Record<'client' | 'server', { code: number | null; end: End | null }>,
): TransferRun {
  const plan = planSession(1)
  const [first] = plan.transfers
  if (first === undefined) throw new Error('a plan without transfers')
  const transfer = { ...first, isUpload, size, fault: { ...first.fault, kind, side: 'client' as const } }
  const [run] = new SessionRun(1, plan, [transfer]).transfers
  if (run === undefined) throw new Error('a session without transfers')
  for (const [view, { code, end }] of [
    [run.client, client],
    [run.server, server],
  ] as const) {
    view.code = code
    if (end !== null) view.data = Object.assign(new DataEnd(new Socket(), run.bytes), end)
  }
  return run
}

describe('a transfer', () => {
  test.each([true, false])('is right when the file arrived and both say so (upload: %s)', (isUpload) => {
    const [client, server] = isUpload ? [sent, got] : [got, sent]
    const run = transferOf(
      { isUpload, kind: 'none' },
      { client: { code: 226, end: client }, server: { code: 226, end: server } },
    )
    expect(judge(run)).toBeNull()
    expect(isWhole(run)).toBe(true)
  })

  test('is right when it failed for a reason and both know', () => {
    const run = transferOf(
      { isUpload: true, kind: 'reset' },
      {
        client: { code: 426, end: { sent: 40, own: 'reset', ending: 'closed' } },
        server: { code: 426, end: { received: 40, own: 'closed', ending: 'reset' } },
      },
    )
    expect(judge(run)).toBeNull()
    expect(isWhole(run)).toBe(false)
  })

  test.each([
    [
      'a reset upload ends by FIN',
      true,
      'reset',
      { code: 426, end: { sent: 40, own: 'reset' } },
      { code: 226, end: { ...got, received: 40 } },
      'the sender ended by reset, and the receiver saw a proper end behind 40 bytes',
    ],
    [
      'a reset download looks whole',
      false,
      'liar',
      { code: 226, end: got },
      { code: 226, end: { sent: size, own: 'reset' } },
      'the sender ended by reset, and the receiver saw a proper end behind 100 bytes',
    ],
    [
      'the tail of a file is missing',
      false,
      'lostControl',
      { code: null, end: { ...got, received: 99 } },
      { code: 226, end: sent },
      'the sender finished behind 100 bytes, the receiver saw the end behind 99',
    ],
    [
      'bytes are changed',
      false,
      'none',
      { code: 226, end: { ...got, isIntact: false } },
      { code: 226, end: sent },
      'what came are not the bytes that were sent',
    ],
    [
      'the client is told of a success that was none',
      true,
      'stall',
      { code: 226, end: sent },
      { code: 426, end: { received: size, ending: 'reset' } },
      'the client was told 226, and the server said 426',
    ],
    [
      'the client is told of a success and has nothing',
      false,
      'absent',
      { code: 226, end: null },
      { code: 226, end: sent },
      'the client was told 226 and never had a data connection',
    ],
    [
      'it fails for no reason',
      false,
      'halfClose',
      { code: 425, end: null },
      { code: 426, end: { own: 'closed' } },
      'nothing was in the way of the file',
    ],
  ] as const)('is wrong when %s', (_, isUpload, kind, client, server, verdict) => {
    expect(judge(transferOf({ isUpload, kind }, { client, server }))).toBe(verdict)
  })
})
