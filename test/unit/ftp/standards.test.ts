import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { verbs } from '../../../src/ftp/commands.ts'

// docs/rfc.md says what we do about every command and rule, and where it can be seen.

const root = new URL('../../../', import.meta.url).pathname
const page = readFileSync(`${root}docs/rfc.md`, 'utf8')
/** Table rows without their headings. */
const rows = page
  .split('\n')
  .filter((line) => line.startsWith('|') && !line.startsWith('|---'))
  .map((line) => line.split('|').map((cell) => cell.trim()))
  .filter(([, first]) => first !== 'rule' && first !== 'verbs' && !first?.startsWith('command'))
const quoted = (cell: string | undefined) =>
  [...(cell ?? '').matchAll(/`([^`]+)`/g)].map(([, text = '']) => text)

test('every verb that we know has a row', () => {
  const named = new Set(rows.flatMap(([, first]) => quoted(first)).flatMap((text) => text.split(/[ ,]/)))
  expect([...verbs.keys()].filter((verb) => !named.has(verb))).toEqual([])
})

test('every row says what we do, where, and what shows it', () => {
  const isComplete = (cells: string[]) => cells.length === 6 && cells.slice(1, 5).every((cell) => cell !== '')
  expect(rows.filter((cells) => !isComplete(cells))).toEqual([])
})

test('every file and transcript that is named exists', () => {
  const named = rows.flatMap(([, , , where, shownBy]) => [...quoted(where), ...quoted(shownBy)])
  const transcripts = `${root}test/fixtures/transcripts/`
  const missing = named.filter((name) => {
    if (name.endsWith('/*')) return readdirSync(transcripts + name.slice(0, -2)).length === 0
    return !existsSync(root + name) && !existsSync(`${transcripts}${name}.txt`)
  })
  expect(missing).toEqual([])
})

test('the conversations that show a row say each of its verbs', () => {
  const transcripts = `${root}test/fixtures/transcripts/`
  const textOf = (name: string): string => {
    if (existsSync(root + name)) return ''
    if (!name.endsWith('/*')) return readFileSync(`${transcripts}${name}.txt`, 'utf8')
    const folder = name.slice(0, -2)
    return readdirSync(transcripts + folder)
      .map((file) => readFileSync(`${transcripts}${folder}/${file}`, 'utf8'))
      .join('')
  }
  const unsaid = rows.flatMap(([, first, , , shownBy]) => {
    const text = quoted(shownBy).map(textOf).join('\n')
    const named = quoted(first).map((words) => words.split(' ')[0] ?? '')
    const isSaid = (verb: string) => new RegExp(`^C> ${verb}\\b`, 'im').test(text)
    return text === '' ? [] : named.filter((verb) => verbs.has(verb) && !isSaid(verb))
  })
  expect(unsaid).toEqual([])
})

test('docs/field.md has every dialogue, and the transcripts that it names exist', () => {
  const dialogues = readFileSync(`${root}docs/field.md`, 'utf8')
    .split('\n')
    .filter((line) => /^\| \d\d \|/.test(line))
  expect(dialogues).toHaveLength(20)
  const named = dialogues.map((line) => quoted(line.split('|')[4]))
  expect(named.filter((names) => names.length === 0)).toEqual([])
  const missing = named.flat().filter((name) => !existsSync(`${root}test/fixtures/transcripts/${name}.txt`))
  expect(missing).toEqual([])
})
