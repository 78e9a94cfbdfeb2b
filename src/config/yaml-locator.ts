// Where a key or value stands in a YAML file, so that a mistake can be pointed at.

import { type Document, isAlias, isMap, isNode, isScalar, isSeq, type Node, type Pair } from 'yaml'

/** Both count from 1. */
export interface Position {
  readonly line: number
  readonly column: number
}

/** Walks the nodes of one document along a path, through aliases to the text that they stand for. */
export class YamlLocator {
  readonly #document: Document.Parsed
  readonly #position: (offset: number) => Position

  constructor(document: Document.Parsed, position: (offset: number) => Position) {
    this.#document = document
    this.#position = position
  }

  /** The value at this path, or else the innermost map or list around it that exists. */
  locate(path: readonly PropertyKey[]): Position {
    let node = this.#resolve(this.#document.contents)
    let offset = node?.range?.[0] ?? 0
    for (const step of path) {
      const pair = pairAt(node, step)
      const next = this.#resolve(isSeq(node) ? node.items[Number(step)] : pair?.value)
      if (pair === undefined && next === null) break
      // Behind a key without a value is a node of no length: the key is the better place.
      const empty = next === null || (isScalar(next) && next.source === '' && next.type === 'PLAIN')
      offset = (empty ? keyOffset(pair) : next.range?.[0]) ?? offset
      node = next
    }
    return this.#position(offset)
  }

  /** A key itself, for one that should not be there. */
  locateKey(path: readonly PropertyKey[], key: string): Position {
    let node = this.#resolve(this.#document.contents)
    for (const step of path) {
      node = this.#resolve(isSeq(node) ? node.items[Number(step)] : pairAt(node, step)?.value)
    }
    const offset = keyOffset(pairAt(node, key))
    return offset === undefined ? this.locate(path) : this.#position(offset)
  }

  #resolve(node: unknown): Node | null {
    if (isAlias(node)) return node.resolve(this.#document) ?? null
    return isNode(node) ? node : null
  }
}

function pairAt(node: Node | null, step: PropertyKey): Pair | undefined {
  if (!isMap(node)) return undefined
  // Of a key given twice the last one counts, as it does in the values.
  return node.items.findLast(({ key }) => isScalar(key) && String(key.value) === String(step))
}

function keyOffset(pair: Pair | undefined): number | undefined {
  return isNode(pair?.key) ? pair.key.range?.[0] : undefined
}
