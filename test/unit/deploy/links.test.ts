// Links between the operators' pages lead somewhere, headings included.

import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'

const docs = new URL('../../../docs/', import.meta.url).pathname
const pages = ['runbook.md', 'kubernetes.md', 'scaling.md', 'grafana.md']

describe.each(pages)('docs/%s', (page) => {
  const text = readFileSync(join(docs, page), 'utf8')
  const links = [...text.matchAll(/\]\((?!https?:)([^)\s]+)\)/g)].map(([, target = '']) => target)

  it.each([...new Set(links)])('links to %s, which exists', (target) => {
    const [path = '', anchor] = target.split('#')
    const file = path === '' ? join(docs, page) : resolve(dirname(join(docs, page)), path)
    expect(existsSync(file)).toBe(true)
    if (anchor !== undefined) expect(anchorsOf(readFileSync(file, 'utf8'))).toContain(anchor)
  })
})

/** As code hosts make them: `## One address for all` gives `one-address-for-all`. */
function anchorsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )
}
