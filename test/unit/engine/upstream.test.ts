import { describe, expect, test } from 'vitest'
import { Outbox } from '../../../src/engine/outbox.ts'
import { Upstream } from '../../../src/engine/upstream.ts'
import { parseCommand } from '../../../src/ftp/commands.ts'

/** What was sent, in order; the first is a transfer that has begun, the others overtook it. */
function outstanding(...verbs: string[]): Upstream {
  const upstream = new Upstream(new Outbox())
  for (const verb of verbs) upstream.forward(parseCommand(verb), { channel: null })
  const { transfer } = upstream
  if (transfer !== null) transfer.hasStarted = true
  return upstream
}

describe('a reply', () => {
  test.each([
    { after: ['NOOP'], code: 200, answers: 'NOOP' },
    { after: ['RETR', 'STAT'], code: 211, answers: 'STAT' },
    { after: ['RETR', 'STAT'], code: 213, answers: 'STAT' },
    { after: ['RETR', 'STAT'], code: 226, answers: 'RETR' },
    { after: ['RETR', 'STAT'], code: 426, answers: 'RETR' },
    { after: ['RETR', 'STAT'], code: 450, answers: 'STAT' },
    { after: ['RETR', 'STAT'], code: 502, answers: 'STAT' },
    { after: ['RETR', 'STAT'], code: 552, answers: 'RETR' },
    { after: ['RETR', 'ABOR'], code: 426, answers: 'RETR' },
    { after: ['RETR', 'ABOR'], code: 226, answers: 'RETR' },
    { after: ['RETR', 'ABOR'], code: 500, answers: 'ABOR' },
    { after: ['RETR', 'STAT', 'ABOR'], code: 226, answers: 'RETR' },
    { after: ['RETR', 'STAT', 'ABOR'], code: 211, answers: 'STAT' },
    { after: ['RETR', 'QUIT'], code: 221, answers: 'QUIT' },
    { after: ['RETR', 'QUIT'], code: 226, answers: 'RETR' },
    { after: ['RETR', 'ABOR', 'QUIT'], code: 221, answers: 'QUIT' },
  ])('$code after $after answers $answers', ({ after, code, answers }) => {
    expect(outstanding(...after).match(code)?.verb).toBe(answers)
  })

  test('to an ABOR comes after the transfer, whatever a STAT still waits for', () => {
    const upstream = outstanding('RETR', 'STAT', 'ABOR')
    const { transfer } = upstream
    if (transfer !== null) upstream.done(transfer)
    expect(upstream.match(226)?.verb).toBe('ABOR')
    expect(upstream.match(211)?.verb).toBe('STAT')
  })

  test('to a transfer that has not begun may be any error', () => {
    const upstream = new Upstream(new Outbox())
    for (const verb of ['RETR', 'STAT']) upstream.forward(parseCommand(verb), { channel: null })
    expect(upstream.match(501)?.verb).toBe('RETR')
  })

  test('answers nothing when nothing was asked', () => {
    expect(outstanding().match(200)).toBeNull()
    expect(outstanding().isIdle).toBe(true)
  })
})

describe('a command', () => {
  test.each([
    { verb: 'ABOR', over: ['RETR'], may: true },
    { verb: 'STAT', over: ['RETR'], may: true },
    { verb: 'QUIT', over: ['RETR'], may: true },
    { verb: 'NOOP', over: ['RETR'], may: false },
    { verb: 'STAT', over: ['RETR', 'STAT'], may: false },
    { verb: 'ABOR', over: ['RETR', 'STAT'], may: true },
    { verb: 'ABOR', over: ['RETR', 'ABOR'], may: false },
    { verb: 'STAT', over: ['RETR', 'ABOR'], may: false },
    { verb: 'QUIT', over: ['RETR', 'ABOR'], may: true },
    { verb: 'ABOR', over: ['RETR', 'QUIT'], may: false },
    { verb: 'ABOR', over: ['NOOP'], may: false },
    { verb: 'ABOR', over: [], may: false },
  ])('$verb may overtake $over: $may', ({ verb, over, may }) => {
    expect(outstanding(...over).mayOvertake(verb)).toBe(may)
  })
})
