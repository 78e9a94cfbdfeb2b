import { describe, expect, test } from 'vitest'
import { Outbox } from '../../../src/engine/outbox.ts'
import { ReplyQueue } from '../../../src/engine/reply-queue.ts'
import { parseCommand } from '../../../src/ftp/commands.ts'

/** What was sent, in order; the first is a transfer that has begun, the others overtook it. */
function outstanding(...verbs: string[]): ReplyQueue {
  const queue = new ReplyQueue(new Outbox())
  for (const verb of verbs) queue.forward(parseCommand(verb), { channel: null })
  const { transfer } = queue
  if (transfer !== null) transfer.hasStarted = true
  return queue
}

describe('a reply', () => {
  test.each([
    { after: ['NOOP'], code: 200, answers: 'NOOP' },
    { after: ['NOOP', 'CWD'], code: 250, answers: 'CWD' },
    { after: ['RETR', 'NOOP'], code: 200, answers: 'NOOP' },
    { after: ['RETR', 'CWD'], code: 250, answers: 'RETR' },
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
    const queue = outstanding('RETR', 'STAT', 'ABOR')
    const { transfer } = queue
    if (transfer !== null) queue.done(transfer)
    expect(queue.match(226)?.verb).toBe('ABOR')
    expect(queue.match(211)?.verb).toBe('STAT')
  })

  test('to a transfer that has not begun may be any error', () => {
    const queue = new ReplyQueue(new Outbox())
    for (const verb of ['RETR', 'STAT']) queue.forward(parseCommand(verb), { channel: null })
    expect(queue.match(501)?.verb).toBe('RETR')
  })

  test('answers nothing when nothing was asked', () => {
    expect(outstanding().match(200)).toBeNull()
    expect(outstanding().isEmpty).toBe(true)
  })
})

describe('a reply that can answer nothing that waits', () => {
  test.each([
    { after: ['NOOP'], code: 250 },
    { after: ['RETR', 'NOOP'], code: 227 },
    { after: ['CWD'], code: 229 },
  ])('$code after $after is a stray', ({ after, code }) => {
    expect(outstanding(...after).match(code)).toBeNull()
  })

  test.each([
    { verb: 'PASV', strays: [200, 250, 226], answers: [227, 229, 425, 502] },
    { verb: 'EPSV', strays: [200, 250], answers: [229, 227, 500] },
    { verb: 'PORT', strays: [226, 250, 227], answers: [200, 500] },
  ])('to $verb of ours is passed by', ({ verb, strays, answers }) => {
    const queue = new ReplyQueue(new Outbox())
    queue.ask({ verb, line: verb })
    expect(strays.map((code) => queue.match(code))).toEqual(strays.map(() => null))
    expect(answers.map((code) => queue.match(code)?.verb)).toEqual(answers.map(() => verb))
  })

  test('a 421 in mid-transfer is about the control connection', () => {
    expect(outstanding('RETR').match(421)).toBeNull()
  })
})
