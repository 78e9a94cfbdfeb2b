// The schema of the file as JSON Schema, for editors and for the documentation.

import { z } from 'zod'
import { fileSchema } from './schema.ts'

/** The parts of JSON Schema that our schema uses, with the columns of the documentation beside them. */
export interface SchemaNode {
  readonly $schema?: string
  readonly title?: string
  readonly description?: string
  readonly kind?: string
  readonly allowed?: string
  /** A change of it waits for a restart. */
  readonly restart?: boolean
  readonly type?: string
  readonly default?: unknown
  readonly properties?: Readonly<Record<string, SchemaNode>>
  readonly required?: readonly string[]
  readonly items?: SchemaNode
  readonly anyOf?: readonly SchemaNode[]
}

let annotated: SchemaNode | null = null

/** Draft 7, which every editor's YAML support reads. Notes for the documentation are left in. */
export function annotatedSchema(): SchemaNode {
  // zod types the result as any JSON Schema; this one is made of the parts above, as the tests show.
  annotated ??= z.toJSONSchema(fileSchema, { io: 'input', target: 'draft-7' }) as SchemaNode
  return annotated
}

/** What `check --print-schema` prints and deploy/config.schema.json holds. */
export function printJsonSchema(): string {
  const { $schema, ...rest } = annotatedSchema()
  const schema = { $schema, title: 'Configuration of ftp-alg', ...rest }
  return `${JSON.stringify(schema, dropNotes, 2)}\n`
}

/** The keys of the map at a path of the file, from every shape it may have. */
export function schemaKeysAt(path: readonly PropertyKey[]): readonly string[] {
  let nodes: readonly SchemaNode[] = shapesOf(annotatedSchema())
  for (const step of path) {
    nodes = nodes.flatMap((node) => {
      const next = typeof step === 'number' ? node.items : node.properties?.[String(step)]
      return next === undefined ? [] : shapesOf(next)
    })
  }
  return [...new Set(nodes.flatMap(({ properties = {} }) => Object.keys(properties)))]
}

/** The keys that wait for a restart, `['pinholes', 'mark']`; inside a list behind `[]`: `['listeners', '[]', 'listen']`. */
export function keysUntilRestart(
  node = annotatedSchema(),
  path: readonly string[] = [],
): readonly string[][] {
  if (node.restart === true) return [[...path]]
  return shapesOf(node).flatMap(({ properties = {}, items }) => [
    ...Object.entries(properties).flatMap(([key, child]) => keysUntilRestart(child, [...path, key])),
    ...(items === undefined ? [] : keysUntilRestart(items, [...path, '[]'])),
  ])
}

/** The node itself, or the alternatives it stands for. */
export function shapesOf(node: SchemaNode): readonly SchemaNode[] {
  return node.anyOf === undefined ? [node] : node.anyOf.flatMap(shapesOf)
}

/** `kind`, `allowed` and `restart` are no keywords of JSON Schema; an empty default of a map says nothing. */
function dropNotes(this: unknown, key: string, value: unknown): unknown {
  const isNode = typeof this === 'object' && this !== null && 'kind' in this && 'allowed' in this
  if (isNode && (key === 'kind' || key === 'allowed' || key === 'restart')) return undefined
  if (key === 'default' && JSON.stringify(value) === '{}') return undefined
  return value
}
