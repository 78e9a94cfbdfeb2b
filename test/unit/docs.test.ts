// What the pages say of each other and of the project: links lead somewhere, scripts exist, decisions are listed.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'

const root = new URL('../../', import.meta.url).pathname
const read = (path: string) => readFileSync(join(root, path), 'utf8')
const pages = [
  'README.md',
  'CHANGELOG.md',
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
]

describe.each(pages)('%s', (page) => {
  test('links to what exists', () => {
    const links = [...read(page).matchAll(/\]\(([^()\s]+)\)/g)].map(([, link = '']) => link)
    const local = links.filter((link) => !/^[a-z]+:/.test(link))
    expect(local.filter((link) => !exists(page, link))).toEqual([])
  })
})

test('a link to nothing, or to no heading, would be found', () => {
  expect(exists('README.md', 'docs/nothing.md')).toBe(false)
  expect(exists('README.md', 'docs/contributing.md#nothing')).toBe(false)
  expect(exists('README.md', 'docs/contributing.md#versions')).toBe(true)
})

test('docs/contributing.md names scripts and variables that exist', () => {
  const page = read('docs/contributing.md')
  const { scripts } = JSON.parse(read('package.json'))
  const named = [...page.matchAll(/npm run ([\w:-]+)/g)].map(([, name = '']) => name)
  expect(named.length).toBeGreaterThan(5)
  expect(named.filter((name) => !(name in scripts))).toEqual([])
})

test('docs/decisions/README.md has every decision once, with its date', () => {
  const rows = [
    ...read('docs/decisions/README.md').matchAll(/^\| \d{4}-\d\d-\d\d \| \[(.+)\]\((.+)\) \| .+ \|$/gm),
  ]
  const listed = rows.map(([, title, file]) => `${file}: ${title}`)
  const files = readdirSync(join(root, 'docs/decisions')).filter((name) => name !== 'README.md')
  const titleOf = (file: string) => /^# (.+)$/m.exec(read(`docs/decisions/${file}`))?.[1]
  expect(listed.sort()).toEqual(files.map((file) => `${file}: ${titleOf(file)}`).sort())
})

/** Whether a relative link of a page leads to a file or folder and, behind `#`, to a heading of it. */
function exists(page: string, link: string): boolean {
  const [path = '', anchor] = link.split('#')
  const target = path === '' ? page : join(dirname(page), path)
  if (!existsSync(join(root, target))) return false
  if (anchor === undefined || !target.endsWith('.md')) return true
  const headings = [...read(target).matchAll(/^#+ (.+)$/gm)].map(([, text = '']) => anchorOf(text))
  return headings.includes(anchor)
}

/** As GitHub makes it: `What is refused, and why` is `what-is-refused-and-why`. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replace(/\s/g, '-')
}
