import { type FlowKey, flowOf } from '../../kernel/conntrack.ts'

/** Connections that were reset and that conntrack still knows, by the pinhole that they came to. */
export class ResetFlows {
  readonly #byPlace = new Map<string, Set<FlowKey>>()
  /** Oldest first. */
  readonly #placeOf = new Map<FlowKey, string>()

  add(key: FlowKey): void {
    const flow = flowOf(key)
    if (flow === null || this.#placeOf.has(key)) return
    const place = placeOf(flow.from.address, flow.to)
    this.#placeOf.set(key, place)
    const keys = this.#byPlace.get(place)
    if (keys === undefined) this.#byPlace.set(place, new Set([key]))
    else keys.add(key)
    // Kernels before 5.10 do not tell the end of all of them.
    const [oldest] = this.#placeOf.keys()
    if (this.#placeOf.size > MAX_RESET && oldest !== undefined) this.delete(oldest)
  }

  delete(key: FlowKey): void {
    const place = this.#placeOf.get(key)
    if (place === undefined) return
    this.#placeOf.delete(key)
    const keys = this.#byPlace.get(place)
    if (keys?.delete(key) && keys.size === 0) this.#byPlace.delete(place)
  }

  /** Gives those of one place, and forgets them. */
  take(place: string): readonly FlowKey[] {
    const keys = [...(this.#byPlace.get(place) ?? [])]
    for (const key of keys) this.delete(key)
    return keys
  }

  clear(): void {
    this.#byPlace.clear()
    this.#placeOf.clear()
  }
}

/** A pinhole as a connection names it: who comes, and where. */
export function placeOf(
  peer: string,
  { address, port }: { readonly address: string; readonly port: number },
): string {
  return `${peer}|${address}|${port}`
}

const MAX_RESET = 10_000
