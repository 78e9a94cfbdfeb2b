// ftp-alg.yaml(5), made from the schema as docs/configuration.md is: a test holds deploy/man/ftp-alg.yaml.5 equal to it.

import { annotatedSchema, type SchemaNode, shapesOf } from './json-schema.ts'
import { roffEntry, roffExample, roffText, roffTitle } from './roff.ts'
import { defaultConfigFile } from './settings.ts'

export function configurationManual(): string {
  const { properties = {} } = annotatedSchema()
  const keys = Object.entries(properties).flatMap(([key, node]) => [`.SS ${key}`, ...entriesOf(key, node)])
  return `${[...opening, ...keys, ...ending].join('\n')}\n`
}

const opening = [
  `.\\" Made from src/config/schema.ts by UPDATE=1 and the unit tests of cli/manual-pages; change the schema, not this.`,
  roffTitle('FTP-ALG.YAML', 5),
  '.SH NAME',
  'ftp\\-alg.yaml \\- configuration of the FTP proxy ftp\\-alg',
  '.SH SYNOPSIS',
  `.I ${defaultConfigFile.replaceAll('-', '\\-')}`,
  '.SH DESCRIPTION',
  roffText(
    `A YAML file, read by ftp-alg at its start and at SIGHUP. Unknown keys are mistakes; every mistake is reported with line and column. Variables of the environment and flags, see ftp-alg(8), replace what it says.`,
  ),
  '.PP',
  roffText(
    'Durations have a unit (500ms, 60s, 15m, 2h, 1d). An IPv6 address with a port is written in quotes and brackets. `[]` below stands for each entry of a list.',
  ),
  '.SH EXAMPLE',
  'One server behind one address:',
  roffExample([
    'listeners:',
    '  - name: public',
    '    listen: 0.0.0.0:21',
    '    upstream: 192.168.1.10:21',
    '    advertise: { clients: [{ to: any, address: 203.0.113.9 }] }',
    'dataPorts: 30000-30999',
  ]),
  '.SH KEYS',
]

const ending = ['.SH SEE ALSO', '.BR ftp\\-alg (8)']

/** The key itself, then those inside it: `listeners[].advertise.clients[].to`. */
function entriesOf(path: string, node: SchemaNode): string[] {
  const below = node.items === undefined ? path : `${path}[]`
  const inner = shapesOf(node.items ?? node).flatMap(({ properties = {} }) =>
    Object.entries(properties).flatMap(([key, child]) => entriesOf(`${below}.${key}`, child)),
  )
  return [entryOf(path, node), ...inner]
}

function entryOf(path: string, { description = '', allowed = '', default: fallback }: SchemaNode): string {
  const isSaid = fallback !== undefined && JSON.stringify(fallback) !== '{}'
  const shown = typeof fallback === 'string' ? fallback : JSON.stringify(fallback)
  return roffEntry(path, `${description} Allowed: ${allowed}.${isSaid ? ` Default: \`${shown}\`.` : ''}`)
}
