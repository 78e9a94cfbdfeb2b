import { describe, expect, test } from 'vitest'
import { ClientIntake } from '../../../src/engine/intake.ts'

function verbsOf(intake: ClientIntake): string[] {
  const verbs: string[] = []
  for (let item = intake.next(); item !== null; item = intake.next()) {
    verbs.push(item.type === 'command' ? item.command.verb : item.type)
  }
  return verbs
}

const never = () => false
const abortOnly = (verb: string) => verb === 'ABOR'

describe('what a client says', () => {
  test('comes out in order, with what is no command in its place', () => {
    const intake = new ClientIntake({ maxLineBytes: 10 })
    intake.push('NOOP\r\nCWD \x01\r\n12345678901\r\nPWD\n')
    expect(verbsOf(intake)).toEqual(['NOOP', 'controlCharacters', 'tooLong', 'PWD'])
    expect(intake.isEmpty).toBe(true)
  })

  test('keeps its order when something overtakes', () => {
    const intake = new ClientIntake({ maxLineBytes: 100 })
    intake.push('CWD a\r\nSTAT\r\nABOR\r\nCWD b\r\n')
    expect(intake.nextOvertaking((verb) => verb === 'ABOR' || verb === 'STAT')?.verb).toBe('ABOR')
    expect(intake.nextOvertaking(never)).toBeNull()
    expect(verbsOf(intake)).toEqual(['CWD', 'STAT', 'CWD'])
  })

  test('overtakes later when it could not at once', () => {
    const intake = new ClientIntake({ maxLineBytes: 100 })
    intake.push('STAT\r\nNOOP\r\n')
    expect(intake.nextOvertaking(never)).toBeNull()
    expect(intake.nextOvertaking((verb) => verb === 'STAT')?.verb).toBe('STAT')
    expect(verbsOf(intake)).toEqual(['NOOP'])
  })

  test('is full after sixteen lines that wait', () => {
    const intake = new ClientIntake({ maxLineBytes: 100 })
    intake.push('NOOP\r\n'.repeat(15))
    expect(intake.nextOvertaking(abortOnly)).toBeNull()
    expect(intake.isFull).toBe(false)
    intake.push('NOOP\r\nABOR\r\n')
    expect(intake.nextOvertaking(abortOnly)).toBeNull()
    expect(intake.isFull).toBe(true)
    intake.next()
    expect(intake.isFull).toBe(false)
  })

  test('is full after 16 KiB and a line that nobody has looked at', () => {
    const intake = new ClientIntake({ maxLineBytes: 1000 })
    intake.push('x'.repeat(16_384 + 999))
    expect(intake.isFull).toBe(false)
    intake.push('x')
    expect(intake.isFull).toBe(true)
  })

  test('is full after 16 KiB of lines that wait, and looks no further for one that may overtake', () => {
    const intake = new ClientIntake({ maxLineBytes: 4_000 })
    intake.push(`${'x'.repeat(4_000)}\r\n`.repeat(4))
    expect(intake.nextOvertaking(abortOnly)).toBeNull()
    expect(intake.isFull).toBe(false)
    intake.push(`${'x'.repeat(400)}\r\nABOR\r\n`)
    expect(intake.nextOvertaking(abortOnly)).toBeNull()
    expect(intake.isFull).toBe(true)
    intake.next()
    expect(intake.isFull).toBe(false)
    expect(intake.nextOvertaking(abortOnly)?.verb).toBe('ABOR')
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
