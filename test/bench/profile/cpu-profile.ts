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
}

const idleNames = new Set(['(idle)', '(root)'])

/** By function, the most expensive first. `shorten` makes names of URLs. */
export function addUp(profile: CpuProfile, shorten: (url: string) => string): Spending {
  const byId = new Map(profile.nodes.map((node) => [node.id, node]))
  const parents = new Map<number, number>()
  for (const { id, children = [] } of profile.nodes) for (const child of children) parents.set(child, id)
  const selfOf = new Map<number, number>()
  profile.samples.forEach((id, i) => {
    selfOf.set(id, (selfOf.get(id) ?? 0) + (profile.timeDeltas[i] ?? 0))
  })
  const names = new Map<number, string>()
  for (const [id, node] of byId) names.set(id, nameOf(node, shorten))

  const self = new Map<string, number>()
  const total = new Map<string, number>()
  let [busy, idle] = [0, 0]
  for (const [id, microseconds] of selfOf) {
    const name = names.get(id) ?? ''
    if (idleNames.has(name)) {
      idle += microseconds
      continue
    }
    busy += microseconds
    self.set(name, (self.get(name) ?? 0) + microseconds)
    const seen = new Set<string>()
    for (let at: number | undefined = id; at !== undefined; at = parents.get(at))
      seen.add(names.get(at) ?? '')
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
  return { busyMs: busy / 1000, idleMs: idle / 1000, spenders }
}

function nameOf({ callFrame }: ProfileNode, shorten: (url: string) => string): string {
  const { functionName, url, lineNumber } = callFrame
  const name = functionName || '(anonymous)'
  return url === '' ? name : `${name} ${shorten(url)}:${lineNumber + 1}`
}
