// Reads a .cpuprofile (Chrome DevTools protocol, Profiler.Profile) and adds up where the time went.

export interface CpuProfile {
  readonly nodes: readonly ProfileNode[]
  /** Microseconds. */
  readonly startTime: number
  readonly endTime: number
  /** Ids of nodes, one per sample. */
  readonly samples: readonly number[]
  /** Microseconds before each sample. */
  readonly timeDeltas: readonly number[]
}

interface ProfileNode {
  readonly id: number
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number }
  readonly children?: readonly number[]
}

export interface AddUpOptions {
  /** Makes names of URLs. */
  readonly shorten: (url: string) => string
  /** Only the last part of the profile, in microseconds: what came before was start and warm-up. */
  readonly lastMicroseconds: number
}

/** `{ name: 'handle src/engine/control.ts:41', selfMs: 12.5, totalMs: 80.1 }` */
export interface Spender {
  readonly name: string
  readonly selfMs: number
  /** With everything called from it, counted once however deep it recurs. */
  readonly totalMs: number
}

export interface Spending {
  readonly busyMs: number
  readonly idleMs: number
  readonly spenders: readonly Spender[]
  /** Self time by file; `(native)` is V8 and the system calls that it makes for us. */
  readonly files: readonly { readonly name: string; readonly selfMs: number }[]
}

const idleNames = new Set(['(idle)', '(root)'])

/** By function and by file, the most expensive first. */
export function addUp(profile: CpuProfile, { shorten, lastMicroseconds }: AddUpOptions): Spending {
  const byId = new Map(profile.nodes.map((node) => [node.id, node]))
  const parents = new Map<number, number>()
  for (const { id, children = [] } of profile.nodes) for (const child of children) parents.set(child, id)
  const selfOf = new Map<number, number>()
  const from = profile.endTime - lastMicroseconds
  let at = profile.startTime
  profile.samples.forEach((id, i) => {
    const delta = profile.timeDeltas[i] ?? 0
    at += delta
    if (at >= from) selfOf.set(id, (selfOf.get(id) ?? 0) + delta)
  })
  const names = new Map<number, string>()
  for (const [id, node] of byId) names.set(id, nameOf(node, shorten))

  const self = new Map<string, number>()
  const total = new Map<string, number>()
  const files = new Map<string, number>()
  let [busy, idle] = [0, 0]
  for (const [id, microseconds] of selfOf) {
    const name = names.get(id) ?? ''
    if (idleNames.has(name)) {
      idle += microseconds
      continue
    }
    busy += microseconds
    self.set(name, (self.get(name) ?? 0) + microseconds)
    const url = byId.get(id)?.callFrame.url ?? ''
    const file = url === '' ? '(native)' : shorten(url)
    files.set(file, (files.get(file) ?? 0) + microseconds)
    const seen = new Set<string>()
    for (let node: number | undefined = id; node !== undefined; node = parents.get(node))
      seen.add(names.get(node) ?? '')
    for (const caller of seen) total.set(caller, (total.get(caller) ?? 0) + microseconds)
  }
  const spenders = [...total]
    .filter(([name]) => !idleNames.has(name))
    .map(([name, microseconds]) => ({
      name,
      selfMs: (self.get(name) ?? 0) / 1000,
      totalMs: microseconds / 1000,
    }))
    .sort((a, b) => b.selfMs - a.selfMs)
  const byFile = [...files]
    .map(([name, microseconds]) => ({ name, selfMs: microseconds / 1000 }))
    .sort((a, b) => b.selfMs - a.selfMs)
  return { busyMs: busy / 1000, idleMs: idle / 1000, spenders, files: byFile }
}

function nameOf({ callFrame }: ProfileNode, shorten: (url: string) => string): string {
  const { functionName, url, lineNumber } = callFrame
  const name = functionName || '(anonymous)'
  return url === '' ? name : `${name} ${shorten(url)}:${lineNumber + 1}`
}
