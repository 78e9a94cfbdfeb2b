import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

const root = new URL('../../../', import.meta.url)
const page = readFileSync(new URL('docs/dependencies.md', root), 'utf8')
const manifest: {
  readonly dependencies: Readonly<Record<string, string>>
  readonly optionalDependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
} = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'))

/** Names in the first column of the tables under a heading. */
function listed(heading: string): string[] {
  const section = page.split(/^## /m).find((text) => text.startsWith(heading)) ?? ''
  const rows = [...section.matchAll(/^\| (`.*?) \|/gm)].map(([, cell = '']) => cell)
  return rows.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name)).sort()
}

describe('docs/dependencies.md', () => {
  it('has a line for each package at run time, and for no other', () => {
    const installed = Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies })
    expect(listed('At run time')).toEqual(installed.sort())
  })

  it('has a line for each package for development, and for no other', () => {
    expect(listed('For development')).toEqual(Object.keys(manifest.devDependencies).sort())
  })
})
