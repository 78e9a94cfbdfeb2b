import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isVerb, maskCommand, parseCommand, verbs } from '../../../src/ftp/commands.ts'

const seed = 20_261_126
const anyLine = fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)) })

describe('a command line', () => {
  test('is taken apart at its first space and can be put together again', () => {
    fc.assert(
      fc.property(anyLine, (line) => {
        const { verb, argument, line: kept } = parseCommand(line)
        expect(kept).toBe(line)
        const written = line.includes(' ') ? `${line.split(' ')[0]} ${argument}` : line
        expect(written).toBe(line)
        expect(verb).toBe(line.split(' ')[0]?.toUpperCase())
      }),
      { numRuns: 1_000, seed },
    )
  })

  test('has a verb in any case', () => {
    expect(parseCommand('retr a b ')).toMatchObject({ verb: 'RETR', argument: 'a b ' })
    expect(parseCommand('Quit')).toMatchObject({ verb: 'QUIT', argument: '' })
  })

  test('moves data, hides its argument or is refused by its verb', () => {
    const with_ = (trait: 'transfer' | 'secret' | 'forbidden') =>
      [...verbs].filter(([, traits]) => traits[trait] !== undefined).map(([verb]) => verb)
    expect(with_('transfer')).toEqual(['RETR', 'LIST', 'NLST', 'MLSD', 'STOR', 'STOU', 'APPE'])
    expect(with_('secret')).toEqual(['PASS', 'ACCT', 'ADAT', 'MIC', 'CONF', 'ENC'])
    expect(with_('forbidden')).toEqual(['LPRT', 'LPSV', 'CPSV', 'SSCN', 'SPSV', 'ESTP'])
  })

  test('begins with printable ASCII or is no command', () => {
    expect(['NOOP', 'XYZZY', 'a', '!$%'].every(isVerb)).toBe(true)
    expect(['', ' ', 'PO\x00RT', 'P\xffORT', '\xa0PORT', 'PORT\x7f', 'PORT\t'].some(isVerb)).toBe(false)
  })
})

describe('a command in a log', () => {
  const secret = 'hunter2'
  const secretLines = fc.oneof(
    fc.constantFrom('PASS', 'pass', 'ACCT', 'ADAT', 'MIC', 'CONF', 'ENC').map((verb) => `${verb} ${secret}`),
    fc.constantFrom('PSWD', 'pass', 'PASSWD', 'CHPASS').map((word) => `SITE ${word} old ${secret}`),
    fc
      .stringMatching(/^[A-Z]{3,8}$/)
      .filter((verb) => !verbs.has(verb))
      .map((verb) => `${verb} ${secret}`),
    fc.constantFrom(' ', '\xa0', '\xff').map((odd) => `${odd}PASS ${secret}`),
  )

  test('never shows a secret', () => {
    fc.assert(
      fc.property(secretLines, (line) => {
        expect(maskCommand(parseCommand(line))).not.toContain(secret)
      }),
      { numRuns: 500, seed },
    )
  })

  test('shows everything else as it came', () => {
    for (const line of ['RETR a b', 'USER joe', 'SITE CHMOD 644 passwd', 'PASS', 'NOOP', 'XYZZY']) {
      expect(maskCommand(parseCommand(line))).toBe(line)
    }
  })
})
