// Puts flags and environment variables over what the file says, before anything is validated, and remembers
// which value came from where.

import { complaint } from './complaint.ts'
import { defaultListenerName } from './listener-schema.ts'
import { type Override, type Setting, settings } from './settings.ts'

export interface Merged {
  readonly tree: Readonly<Record<string, unknown>>
  readonly origins: readonly Origin[]
  /** Overrides that could not be placed. */
  readonly mistakes: readonly { readonly origin: string; readonly text: string }[]
}

/** `--listen` set what stands at `path`. */
export interface Origin {
  readonly path: readonly (string | number)[]
  readonly name: string
}

/**
 * Sets every override in a copy of the tree. Overrides for "the listener" go to the only one; without any they
 * make one, called `default`; among several they are mistakes.
 */
export function mergeOverrides(
  file: Readonly<Record<string, unknown>>,
  overrides: readonly Override[],
): Merged {
  const origins: Origin[] = []
  const mistakes: { origin: string; text: string }[] = []
  const count = countListeners(file)
  const makesListener = count === 0 && overrides.some(({ setting }) => setting.of === 'listener')
  let tree = makesListener ? { ...file, listeners: [{ name: defaultListenerName }] } : file
  if (makesListener) origins.push(...siblingOrigins(listenerPath))
  for (const { setting, origin, text } of overrides) {
    if (typeof text !== 'string') {
      mistakes.push({ origin, text: complaint('needs one value', { given: text, allowed: setting.takes }) })
    } else if (setting.of === 'listener' && count > 1) {
      const reason = `is for a file with one listener, and this one has ${count}`
      const allowed = `${setting.path.join('.')} in the file`
      mistakes.push({ origin, text: complaint(reason, { given: text, allowed }) })
    } else {
      const placed = place(tree, { path: pathOf(setting), value: setting.read?.(text) ?? text })
      if (placed === null) continue
      tree = placed.tree
      origins.push(...placed.siblings, { path: placed.path, name: origin })
    }
  }
  return { tree, origins, mistakes }
}

/** Which override set the value at this path, or something around it; the last and innermost one. */
export function originOf(path: readonly PropertyKey[], origins: readonly Origin[]): Origin | null {
  let best: Origin | null = null
  for (const origin of origins) {
    const covers = origin.path.every((step, index) => step === path[index])
    if (covers && origin.path.length >= (best?.path.length ?? 0)) best = origin
  }
  return best
}

const listenerPath = ['listeners', 0] as const

function pathOf({ of, path }: Setting): Origin['path'] {
  return of === 'listener' ? [...listenerPath, ...path] : path
}

/** What is still missing in a map that overrides made must come from where the map came from. */
function siblingOrigins(map: Origin['path']): Origin[] {
  return settings.flatMap((setting) => {
    const path = pathOf(setting)
    const inside = path.length === map.length + 1 && map.every((step, index) => step === path[index])
    return inside ? [{ path, name: setting.flag === null ? setting.variable : `--${setting.flag}` }] : []
  })
}

interface Target {
  readonly path: Origin['path']
  readonly value: unknown
}

interface Placement {
  readonly tree: Readonly<Record<string, unknown>>
  readonly path: Origin['path']
  readonly siblings: readonly Origin[]
}

/** Null where the file has something else than a map on the way: that is a mistake of the file, found later. */
function place(tree: Readonly<Record<string, unknown>>, wanted: Target): Placement | null {
  const target = besideOtherAdminKeys(tree, wanted)
  const { base, path } = makeRoomInDataPorts(tree, target.path)
  const map = path.slice(0, -1)
  const siblings = map.length > 0 && getIn(base, map) === undefined ? siblingOrigins(map) : []
  const changed = setIn(base, { path, value: target.value })
  return isMap(changed) ? { tree: changed, path, siblings } : null
}

/** Another address leaves the file's token as it is. */
function besideOtherAdminKeys(tree: Readonly<Record<string, unknown>>, { path, value }: Target): Target {
  const isAddress = path.length === 1 && path[0] === 'admin' && isMap(value) && isMap(tree.admin)
  return isAddress ? { path: ['admin', 'listen'], value: value.listen } : { path, value }
}

/** A slice and a range that are given in different places belong together. */
function makeRoomInDataPorts(tree: Readonly<Record<string, unknown>>, path: Origin['path']) {
  const { dataPorts } = tree
  if (path[0] === 'dataPorts' && path.length > 1 && typeof dataPorts === 'string') {
    return { base: { ...tree, dataPorts: { listen: dataPorts } }, path }
  }
  if (path[0] === 'dataPorts' && path.length === 1 && isMap(dataPorts) && dataPorts.slice !== undefined) {
    return { base: { ...tree, dataPorts: { slice: dataPorts.slice } }, path: ['dataPorts', 'listen'] }
  }
  return { base: tree, path }
}

function getIn(node: unknown, path: Origin['path']): unknown {
  const [step, ...rest] = path
  if (step === undefined) return node
  if (typeof step === 'number') return Array.isArray(node) ? getIn(node[step], rest) : undefined
  return isMap(node) ? getIn(node[step], rest) : undefined
}

/** A copy with one value replaced; the parts that did not change are shared. Undefined where it cannot be. */
function setIn(node: unknown, { path, value }: Target): unknown {
  const [step, ...rest] = path
  if (step === undefined) return value
  if (typeof step === 'number') {
    if (!Array.isArray(node)) return undefined
    const changed = setIn(node[step], { path: rest, value })
    return changed === undefined ? undefined : node.with(step, changed)
  }
  if (node !== undefined && !isMap(node)) return undefined
  const changed = setIn(node?.[step], { path: rest, value })
  return changed === undefined ? undefined : { ...node, [step]: changed }
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A `listeners` that is no list counts as one: nothing can be said about it but that it is wrong. */
function countListeners({ listeners }: Readonly<Record<string, unknown>>): number {
  if (listeners === undefined) return 0
  return Array.isArray(listeners) ? listeners.length : 1
}
