import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

interface LockedPackage {
  readonly version?: string
  readonly resolved?: string
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

const lock: { readonly packages: Readonly<Record<string, LockedPackage>> } = JSON.parse(
  readFileSync(new URL('../../../package-lock.json', import.meta.url), 'utf8'),
)

describe('package-lock.json', () => {
  // A registry that lacks the packages of other platforms makes `npm install` leave them out; after that
  // `npm ci` refuses the file on every machine.
  it('locks the optional packages of every platform, not only of the one it was written on', () => {
    const missing = Object.entries(lock.packages).flatMap(([folder, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies)
        .filter((name) => !isLocked(folder, name))
        .map((name) => `${folder} needs ${name}`),
    )
    expect(missing).toEqual([])
  })

  it('locks every other dependency too', () => {
    const missing = Object.entries(lock.packages).flatMap(([folder, { dependencies = {} }]) =>
      Object.keys(dependencies)
        .filter((name) => !isLocked(folder, name))
        .map((name) => `${folder} needs ${name}`),
    )
    expect(missing).toEqual([])
  })

  it('names no download addresses, so that each user’s own registry serves it', () => {
    const resolved = Object.entries(lock.packages).filter(([, { resolved }]) => resolved !== undefined)
    expect(resolved.map(([folder]) => folder)).toEqual([])
  })
})

/** Node's own search: the nearest `node_modules` on the way up from the package that asks. */
function isLocked(folder: string, name: string): boolean {
  for (let place = folder; ; place = place.slice(0, Math.max(0, place.lastIndexOf('/node_modules/')))) {
    const candidate = `${place === '' ? '' : `${place}/`}node_modules/${name}`
    if (lock.packages[candidate] !== undefined) return true
    if (place === '') return false
  }
}
