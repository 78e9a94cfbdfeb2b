import { chmodSync, mkdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parseYaml } from '../../../src/config/yaml-file.ts'
import { configFile, mistakesIn, writeConfig } from './sources.ts'

describe('a file that cannot be used is described in one line', () => {
  test('when it does not exist', () => {
    const file = join(dirname(configFile), 'missing.yaml')
    expect(mistakesIn(null, { flags: { config: file } })).toEqual([
      `${file}: cannot be read: there is no such file`,
    ])
  })

  test('when it is a directory', () => {
    const directory = join(dirname(configFile), 'directory.yaml')
    mkdirSync(directory)
    expect(mistakesIn(null, { environment: { FTP_ALG_CONFIG: directory } })).toEqual([
      `${directory}: cannot be read: it is a directory`,
    ])
  })

  test('when we may not read it', (context) => {
    if (process.getuid?.() === 0) {
      // Root may read everything: /proc has a file that refuses even root.
      const file = '/proc/self/mem'
      if (process.platform !== 'linux') context.skip('root may read every file on this system')
      expect(mistakesIn(null, { flags: { config: file } })).toEqual([
        expect.stringMatching(/^\/proc\/self\/mem: cannot be read: \S/),
      ])
      return
    }
    chmodSync(writeConfig('listeners: []'), 0)
    expect(mistakesIn(null, { flags: { config: configFile } })).toEqual([
      'config.yaml: cannot be read: permission denied',
    ])
  })

  test('and one that nobody may read is not left to the next test', () => {
    chmodSync(writeConfig('listeners: []'), 0)
    expect(statSync(writeConfig('listeners: []')).mode & 0o400).toBe(0o400)
  })

  test.each([
    ['nothing', ''],
    ['blank lines', '\n \n'],
    ['comments', '# listeners:\n'],
    ['a document marker', '---\n'],
    ['a byte order mark', '\ufeff'],
    ['null', 'null\n'],
  ])('when it holds only %s', (_, text) => {
    expect(mistakesIn(text)).toEqual(['config.yaml: is empty (given nothing, allowed a map of keys)'])
  })

  test.each([
    ['text', 'just text', '"just text"'],
    ['a number', '42', '42'],
    ['a list', '- listen: ":21"\n- listen: ":22"', 'a list of 2'],
  ])('when it is %s', (_, text, shown) => {
    expect(mistakesIn(text)).toEqual([
      `config.yaml:1:1: is not a map (given ${shown}, allowed a map of keys)`,
    ])
  })

  test('when it is not UTF-8, with the place of the first wrong byte', () => {
    const latin1 = Buffer.from('log:\n  # für alle\n  level: info\n', 'latin1')
    expect(mistakesIn(latin1)).toEqual([
      'config.yaml:2:6: is not UTF-8 text (given byte 0xfc, allowed UTF-8)',
    ])
    const cut = Buffer.from('log: ä').subarray(0, -1)
    expect(mistakesIn(cut)).toEqual(['config.yaml:1:6: is not UTF-8 text (given byte 0xc3, allowed UTF-8)'])
    const utf16 = Buffer.from('\ufefflog: {}', 'utf16le')
    expect(mistakesIn(utf16)).toEqual(['config.yaml:1:1: is not UTF-8 text (given byte 0xff, allowed UTF-8)'])
  })

  test('when it holds several documents', () => {
    expect(mistakesIn('log: {}\n---\nlog: {}\n')).toEqual([
      'config.yaml:2:1: holds several YAML documents (given 2, allowed 1)',
    ])
  })

  test('when its aliases stand for too much', () => {
    const laughs = [
      'a: &a [x,x,x,x,x,x,x,x,x]',
      ...'bcdefg'.split('').map((name, index) => {
        const inner = `*${'abcdefg'[index]}`
        return `${name}: &${name} [${Array(9).fill(inner).join()}]`
      }),
    ]
    expect(mistakesIn(laughs.join('\n'))).toEqual([
      expect.stringMatching(/^config\.yaml: cannot be read as YAML: /),
    ])
  })
})

describe('a mistake in the syntax has its line and column', () => {
  test.each([
    [
      'a map in a line',
      'log: level: info\n',
      '1:6: is not YAML: Nested mappings are not allowed in compact mappings',
    ],
    ['a tab', 'log:\n\tlevel: info\n', '2:1: is not YAML: Tabs are not allowed as indentation'],
    ['an open quote', 'log: "x\n', '2:1: is not YAML: Missing closing "quote'],
    ['a tag', 'log: !secret x\n', '1:6: is not YAML: Unresolved tag: !secret'],
    ['a known tag', 'log: !!binary aGk=\n', '1:6: is not YAML: Unresolved tag: tag:yaml.org,2002:binary'],
    ['an unknown anchor', 'log: *base\n', '1:6: names an anchor that does not stand before it (given *base)'],
  ])('%s', (_, text, line) => {
    expect(mistakesIn(text)).toEqual([`config.yaml:${line}`])
  })

  test('an IPv6 address without quotes gets the advice to quote it', () => {
    expect(mistakesIn('listeners:\n  - listen: [::]:2121\n    upstream: a\n')).toContain(
      "config.yaml:2:17: is not YAML: Unexpected scalar at node end; write an IPv6 address in quotes: '[::]:2121'",
    )
  })

  test('a key that stands twice does not hide the other mistakes', () => {
    expect(
      mistakesIn(
        'log: { level: info, level: warn }\nworkers: 0\nlog: { level: loud }\nlisteners: [{ upstream: a }]\n',
      ),
    ).toEqual([
      'config.yaml:1:21: the key level stands twice in one map (given 2, allowed 1)',
      'config.yaml:2:10 workers: is too small (given 0, allowed 1 to 128)',
      'config.yaml:3:1: the key log stands twice in one map (given 2, allowed 1)',
      'config.yaml:3:15 log.level: is not a known value (given "loud", allowed debug, info, warn or error)',
    ])
  })
})

describe('a value has a place', () => {
  const { locator } = parseYaml(
    Buffer.from('base: &base\n  b:\n  c: 3\nalias: *base\nlist:\n  - f: 1\n    g: { h: 2 }\n"quoted": 1\n'),
  )
  test.each<[PropertyKey[], number, number]>([
    [['base'], 2, 3],
    [['base', 'c'], 3, 6],
    [['base', 'b'], 2, 3],
    [['list', 0, 'g', 'h'], 7, 13],
    [['quoted'], 8, 11],
    [['alias', 'c'], 3, 6],
  ])('%j', (path, line, column) => {
    expect(locator?.locate(path)).toEqual({ line, column })
  })

  test('and a missing one has that of the map or list around it', () => {
    expect(locator?.locate(['list', 0, 'missing'])).toEqual({ line: 6, column: 5 })
    expect(locator?.locate(['list', 7])).toEqual({ line: 6, column: 3 })
    expect(locator?.locate(['missing', 'deeper'])).toEqual({ line: 1, column: 1 })
  })

  test('and a key has its own', () => {
    expect(locator?.locateKey(['list', 0], 'g')).toEqual({ line: 7, column: 5 })
    expect(locator?.locateKey([], 'alias')).toEqual({ line: 4, column: 1 })
  })
})

test('a value is read as YAML 1.2, whatever a directive says', () => {
  const { tree } = parseYaml(Buffer.from('%YAML 1.1\n---\na: 010\nb: yes\nc: 21:30\nd: 2001-01-01\n'))
  expect(tree).toEqual({ a: 10, b: 'yes', c: '21:30', d: '2001-01-01' })
})
