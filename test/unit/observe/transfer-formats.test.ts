import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isFileCommand, type TransferEntry, typeAskedBy } from '../../../src/observe/transfers/entry.ts'
import { formatTransferJson, formatXferlog } from '../../../src/observe/transfers/formats.ts'

const entry: TransferEntry = {
  endedAt: new Date('2026-05-04T12:03:04.123Z'),
  session_id: 'k3v9x0q2m1',
  listener: 'edge',
  client_ip: '203.0.113.9',
  server_ip: '10.0.0.5',
  server_port: 21,
  user: 'anna',
  command: 'RETR',
  file: '/pub/a.bin',
  direction: 'download',
  type: 'binary',
  mode: 'passive',
  path: 'relay',
  bytes: 65_536,
  durationMs: 2750.5,
  result: 'ok',
  reply_code: 226,
}

describe('xferlog lines', () => {
  const zone = process.env.TZ
  beforeAll(() => {
    process.env.TZ = 'Europe/Berlin'
  })
  afterAll(() => {
    if (zone === undefined) delete process.env.TZ
    else process.env.TZ = zone
  })

  test('have the fields that wu-ftpd gave them, in local time', () => {
    expect(formatXferlog(entry)).toBe(
      'Mon May  4 14:03:04 2026 3 203.0.113.9 65536 /pub/a.bin b _ o r anna ftp 0 * c\n',
    )
  })

  test('and JSON lines are those of docs/logs.md', () => {
    const page = readFileSync(new URL('../../../docs/logs.md', import.meta.url), 'utf8')
    expect(page).toContain(`\n${formatXferlog(entry)}`)
    expect(page).toContain(`\n${formatTransferJson(entry)}`)
  })

  test('tell uploads, text, anonymous users and what was not completed', () => {
    const upload: TransferEntry = {
      ...entry,
      endedAt: new Date('2026-12-24T03:00:00Z'),
      command: 'STOR',
      direction: 'upload',
      type: 'ascii',
      user: 'Anonymous',
      result: 'reset',
      durationMs: 12,
      client_ip: '2001:db8::9',
    }
    expect(formatXferlog(upload)).toBe(
      'Thu Dec 24 04:00:00 2026 1 2001:db8::9 65536 /pub/a.bin a _ i a Anonymous ftp 0 * i\n',
    )
  })

  test('a name of any kind is one word', () => {
    const file = 'a file\twith\nline ends\r\x00\x1b[31m\x85 and ü'
    expect(formatXferlog({ ...entry, file })).toContain(' 65536 a_file_with_line_ends___[31m__and_ü b _ o ')
    expect(formatXferlog({ ...entry, file: '', user: null })).toContain(' 65536 * b _ o r * ftp ')
  })

  test('always have 18 words, the first five in 24 columns, whatever peers name their files', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }),
        fc.string(),
        fc.date({ noInvalidDate: true, min: new Date('1980-01-01'), max: new Date('2100-01-01') }),
        (file, user, endedAt) => {
          const line = formatXferlog({ ...entry, file, user, endedAt })
          expect(line.slice(0, 25)).toMatch(/^\w{3} \w{3} [ 1-3]\d \d\d:\d\d:\d\d \d{4} $/)
          expect(line.slice(25).split(' ')).toHaveLength(13)
          expect(line.indexOf('\n')).toBe(line.length - 1)
        },
      ),
    )
  })
})

describe('JSON lines', () => {
  test('have the names of the log', () => {
    expect(JSON.parse(formatTransferJson(entry))).toEqual({
      time: '2026-05-04T12:03:04.123Z',
      session_id: 'k3v9x0q2m1',
      listener: 'edge',
      client_ip: '203.0.113.9',
      server_ip: '10.0.0.5',
      server_port: 21,
      user: 'anna',
      command: 'RETR',
      file: '/pub/a.bin',
      direction: 'download',
      type: 'binary',
      mode: 'passive',
      path: 'relay',
      bytes: 65_536,
      duration_ms: 2750.5,
      result: 'ok',
      reply_code: 226,
    })
  })

  test('leave out what does not apply, and stay one line', () => {
    const line = formatTransferJson({
      ...entry,
      user: null,
      reply_code: null,
      mode: null,
      path: null,
      file: 'a\nb',
    })
    expect(Object.keys(JSON.parse(line))).not.toEqual(expect.arrayContaining(['user']))
    expect(line.split('\n')).toHaveLength(2)
    expect(JSON.parse(line).file).toBe('a\nb')
  })
})

describe('what is a file, and of what type', () => {
  test('listings are not files', () => {
    const verbs = ['RETR', 'STOR', 'STOU', 'APPE', 'LIST', 'NLST', 'MLSD', 'OTHER']
    expect(verbs.filter(isFileCommand)).toEqual(['RETR', 'STOR', 'STOU', 'APPE'])
  })

  test('TYPE says whether text is converted', () => {
    const lines = ['TYPE I', 'type i', 'TYPE L 8', 'TYPE A', 'TYPE A N', 'TYPE E', 'TYPE', 'TYPEI', 'TYPE IX']
    expect(lines.map(typeAskedBy)).toEqual([
      'binary',
      'binary',
      'binary',
      'ascii',
      'ascii',
      null,
      null,
      null,
      null,
    ])
  })
})
