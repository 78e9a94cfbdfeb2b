import { describe, expect, test } from 'vitest'
import { ClientIntake } from '../../../src/engine/intake.ts'

function verbsOf(intake: ClientIntake): string[] {
  const verbs: string[] = []
  for (let item = intake.peek(); item !== null; item = intake.peek()) {
    intake.take()
    verbs.push(item.type === 'command' ? item.command.verb : item.type)
  }
  return verbs
}

describe('what a client says', () => {
  test('comes out in order, with what is no command in its place', () => {
    const intake = new ClientIntake({ maxLineBytes: 10 })
    intake.push('NOOP\r\nCWD \x01\r\n12345678901\r\nPWD\n')
    expect(verbsOf(intake)).toEqual(['NOOP', 'controlCharacters', 'tooLong', 'PWD'])
    expect(intake.isEmpty).toBe(true)
  })

  test('keeps its order when an ABOR is taken from behind', () => {
    const intake = new ClientIntake({ maxLineBytes: 100 })
    intake.push('CWD a\r\nSTAT\r\nABOR\r\nCWD b\r\n')
    expect(intake.takeAbort()?.verb).toBe('ABOR')
    expect(intake.takeAbort()).toBeNull()
    expect(verbsOf(intake)).toEqual(['CWD', 'STAT', 'CWD'])
  })

  test('gives an ABOR that waited before there was anything to abort', () => {
    const intake = new ClientIntake({ maxLineBytes: 100 })
    intake.push('STAT\r\nABOR\r\nNOOP\r\n')
    expect(intake.takeAbort()?.verb).toBe('ABOR')
    intake.push('CWD\r\nABOR\r\n')
    expect(intake.peek()?.type).toBe('command')
    expect(intake.takeAbort()?.verb).toBe('ABOR')
    expect(verbsOf(intake)).toEqual(['STAT', 'NOOP', 'CWD'])
  })

  test('is full after 64 lines that wait', () => {
    const intake = new ClientIntake({ maxLineBytes: 100 })
    intake.push('NOOP\r\n'.repeat(63))
    expect(intake.takeAbort()).toBeNull()
    expect(intake.isFull).toBe(false)
    intake.push('NOOP\r\nPWD\r\n')
    expect(intake.takeAbort()).toBeNull()
    expect(intake.isFull).toBe(true)
    intake.take()
    expect(intake.isFull).toBe(false)
  })

  test.each([
    ['plain', 'ABOR\r\n'],
    ['with LF alone', 'abor\n'],
    ['after a Synch', '\xff\xf4\xff\xf2ABOR\r\n'],
    ['after what is left of a Synch', '\xff\xf4\xf2ABOR\r\n'],
    ['before a Synch', 'ABOR\xff\xf4\xff\xf2\r\n'],
  ])('is full, and finds an ABOR behind all that waits: %s', (_how, abort) => {
    const intake = new ClientIntake({ maxLineBytes: 100 })
    intake.push('NOOP\r\n'.repeat(200))
    expect(intake.takeAbort()).toBeNull()
    intake.push(`STOR ABOR\r\n${abort}PWD\r\n`)
    expect(intake.takeAbort()?.verb).toBe('ABOR')
    expect(intake.takeAbort()).toBeNull()
    expect(verbsOf(intake)).toEqual([...Array.from({ length: 200 }, () => 'NOOP'), 'STOR', 'PWD'])
  })

  test('finds an ABOR whose line feed was urgent and is lost, behind all that waits', () => {
    const intake = new ClientIntake({ maxLineBytes: 100 })
    intake.push(`${'NOOP\r\n'.repeat(200)}ABOR\r`)
    expect(intake.takeAbort()?.verb).toBe('ABOR')
    intake.push('\nPWD\r\n')
    expect(verbsOf(intake)).toEqual([...Array.from({ length: 200 }, () => 'NOOP'), 'PWD'])
  })

  test('is full after 64 KiB and a line that nobody has looked at', () => {
    const intake = new ClientIntake({ maxLineBytes: 1000 })
    intake.push('x'.repeat(65_536 + 999))
    expect(intake.isFull).toBe(false)
    intake.push('x')
    expect(intake.isFull).toBe(true)
  })

  test('is full after 64 KiB of lines that wait, and finds an ABOR all the same', () => {
    const intake = new ClientIntake({ maxLineBytes: 4_000 })
    intake.push(`${'x'.repeat(4_000)}\r\n`.repeat(16))
    expect(intake.takeAbort()).toBeNull()
    expect(intake.isFull).toBe(false)
    intake.push(`${'x'.repeat(1_600)}\r\nABOR\r\n`)
    expect(intake.takeAbort()?.verb).toBe('ABOR')
    expect(intake.isFull).toBe(true)
    intake.take()
    expect(intake.isFull).toBe(false)
  })

  test('may always complete a line, however long lines may be', () => {
    const intake = new ClientIntake({ maxLineBytes: 60_000 })
    intake.push(`CWD ${'x'.repeat(59_996)}`)
    expect(verbsOf(intake)).toEqual([])
    expect(intake.isFull).toBe(false)
    intake.push('\r\n')
    expect(verbsOf(intake)).toEqual(['CWD'])
  })

  test('may be an ABOR without its line feed, and only an ABOR', () => {
    const intake = new ClientIntake({ maxLineBytes: 100 })
    intake.push('ABOR\r')
    expect(verbsOf(intake)).toEqual(['ABOR'])
    intake.push('\nNOOP\r')
    expect(verbsOf(intake)).toEqual([])
    intake.push('\n')
    expect(verbsOf(intake)).toEqual(['NOOP'])
  })
})
