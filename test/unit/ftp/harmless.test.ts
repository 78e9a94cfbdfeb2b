import { describe, expect, test } from 'vitest'
import { linesBeforeEndpoint, mayNameEndpoint, withoutEndpoint } from '../../../src/ftp/harmless.ts'
import { MAX_REPLY_LINE_BYTES, ReplyLines } from '../../../src/ftp/replies.ts'

const endpoint = '(6,6,6,6,0,25)'

/** What a client would get of lines that answer nothing. */
function passed(said: string): string {
  const lines = new ReplyLines()
  let text = ''
  for (let at = 0; at < said.length; at += 16_384) {
    lines.push(said.slice(at, at + 16_384))
    for (let part = lines.next(); part !== null; part = lines.next()) text += withoutEndpoint(part)
  }
  return text
}

describe('a line that must not be read for an endpoint', () => {
  test.each([
    ['to every client', `227 Entering ${endpoint}\r\n`, '227 Entering (*,*,*,*,*,**)\r\n'],
    ['to ftplib, which wants no blank', `227${endpoint}\r\n`, '227(*,*,*,*,*,**)\r\n'],
    [
      'in another reply',
      `211-A\r\n227 B ${endpoint}\r\n211 C\r\n`,
      '211-A\r\n227 B (*,*,*,*,*,**)\r\n211 C\r\n',
    ],
    ['to whoever takes out Telnet', `22\xff\xf17 B ${endpoint}\r\n`, '22\xff\xf1* B (*,*,*,*,*,**)\r\n'],
    ['behind an option', `\xff\xfd\x0622\xff\xfd\x067 ${endpoint}`, ''],
  ])('that is one %s', (_, said, expected) => {
    expect(passed(said)).toBe(expected)
  })

  test.each(['227 ', '211-A\r\n227 '])('longer than 64 KiB, after %j', (before) => {
    const after = `${endpoint}\r\n`
    const text = passed(`${before}${'x'.repeat(MAX_REPLY_LINE_BYTES + 40_000)}${after}`)
    expect(text).toHaveLength(before.length + MAX_REPLY_LINE_BYTES + 40_000 + after.length)
    expect(text.endsWith('x(*,*,*,*,*,**)\r\n')).toBe(true)
  })

  test('keeps its digits where it is none', () => {
    const said = '2\r\n22\r\n220 A (1,2,3,4,5,6)\r\n211-A\r\n 227 (1,2,3,4,5,6)\r\n227 items\r\n211 B\r\n'
    expect(passed(said)).toBe(said)
  })
})

test('a line that has only begun may become one', () => {
  expect(['2', '22', '227', '229-', '2\xff', '\xff\xf12'].every(mayNameEndpoint)).toBe(true)
  expect(['5', '21', '220', '228', ' 227', 'x'].some(mayNameEndpoint)).toBe(false)
})

test('the lines before an endpoint hold no other', () => {
  const lines = `227-Ready\r\n230 ${endpoint}\r\n 1, 2, 3, 4, 5, 6\r\n`
  expect(linesBeforeEndpoint(lines)).toBe('227-Ready\r\n230 (*,*,*,*,*,**)\r\n *, *, *, *, *, *\r\n')
})
