// Links in the pages for users and developers lead somewhere, headings included.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { expect, it } from 'vitest'

const project = new URL('../../../', import.meta.url).pathname
const inDocs = readdirSync(join(project, 'docs'), { recursive: true, encoding: 'utf8' })
const pages = ['README.md', 'CHANGELOG.md', ...inDocs.map((path) => join('docs', path))]

it.each(pages.filter((page) => page.endsWith('.md')))('%s links only to what exists', (page) => {
  const text = readFileSync(join(project, page), 'utf8')
  const links = [...text.matchAll(/\]\((?!https?:)([^)\s]+)\)/g)].map(([, target = '']) => target)
  expect(links.filter((target) => !leadsSomewhere(page, target))).toEqual([])
})

/** `runbook.md#ftpalgdown`, as seen from `docs/grafana.md`. */
function leadsSomewhere(page: string, target: string): boolean {
  const [path = '', anchor] = target.split('#')
  const file = path === '' ? join(project, page) : resolve(dirname(join(project, page)), path)
  if (!existsSync(file)) return false
  return anchor === undefined || anchorsOf(readFileSync(file, 'utf8')).includes(anchor)
}

/** As code hosts make them: `## One address for all` gives `one-address-for-all`. */
function anchorsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )
}
