// docs/configuration.md, made from the schema and the table of settings, so that it cannot be out of date: a test
// holds the page equal to what this file writes.

import { allOf } from './complaint.ts'
import { durationForm } from './duration.ts'
import { annotatedSchema, keysUntilRestart, type SchemaNode, shapesOf } from './json-schema.ts'
import { portRangeForm } from './port-range.ts'
import { configSetting, type Setting, settings } from './settings.ts'
import { listenForm, upstreamForm } from './socket-address.ts'

/** The whole page in Markdown. */
export function configurationPage(): string {
  return [introduction, sourcesChapter(), formsChapter, ...keyChapters(), reloadChapter()].join('\n')
}

const introduction = `# Configuration

<!-- Made from src/config/schema.ts. To change this page, change the schema and run
     UPDATE=1 npx vitest run --config test/vitest.config.ts --project unit unit/config/document.test.ts -->

One YAML file, or none: \`ftp-alg run --upstream ftp.example.net\` needs nothing else. Where neither --config nor --upstream or
--intercept are given (nor the variables that do the same), the file is \`/etc/ftp-alg/config.yaml\`.
\`deploy/config/minimal.yaml\` is the smallest file and \`deploy/config/full.yaml\` has every key with its default.
Unknown keys are mistakes. For completion in an editor, begin the file with

\`\`\`yaml
# yaml-language-server: $schema=./config.schema.json
\`\`\`

and put \`deploy/config.schema.json\` (or the output of \`ftp-alg check --print-schema\`) beside it.

\`ftp-alg check --config FILE\` prints the effective configuration: everything merged, every default filled in,
data ports cut to this instance's slice. The output is itself a configuration file. A mistake is reported as

\`\`\`
config.yaml:7:11 limits.idle: needs a unit, such as 60s (given 60, allowed ${durationForm.allowed})
\`\`\`

all of them at once, with exit code 2, and nothing starts. Warnings look the same and stop nothing.
`

function sourcesChapter(): string {
  const rows = [configSetting, ...settings].map((setting) => {
    const flag = setting.flag === null ? '–' : code(`--${setting.flag} ${setting.takes}`)
    const key = 'path' in setting ? code(keyOf(setting)) : '–'
    return [flag, code(setting.variable), key, `${setting.about[0]?.toUpperCase()}${setting.about.slice(1)}.`]
  })
  return `## File, environment, flags

A flag wins over the environment, and both win over the file. They are merged first and validated once.
Variables that are not in this table are not read, whatever their name: Kubernetes sets \`FTP_ALG_PORT\` and
\`FTP_ALG_SERVICE_HOST\` for a Service called ftp-alg. (\`FTP_ALG_TRACE\` is for developers, see contributing.md.) A variable that is set to nothing counts as not set.

${table(['flag', 'variable', 'key', 'meaning'], rows)}

What is said of "the listener" is for a file with one listener. If the file has none, it makes one called
\`default\`; if the file has several, it is a mistake.
`
}

const formsChapter = `## How values are written

- **Durations** are a whole number and a unit: \`500ms\`, \`60s\`, \`15m\`, \`2h\`, \`1d\`; up to \`7d\`. A bare number is a mistake.
- **Listen addresses**: ${listenForm.allowed}. \`[::]:2121\` and \`:2121\` accept IPv4 clients too; where IPv6 is
  switched off, write \`0.0.0.0:2121\`. \`localhost\` is \`127.0.0.1\`; other names are refused. YAML needs quotes around
  brackets: \`listen: '[::]:2121'\`.
- **Upstreams**: ${upstreamForm.allowed}.
- **Networks** are CIDR (\`10.0.0.0/8\`, \`2001:db8::/32\`) without bits below the mask, or one address.
- **Port ranges**: ${portRangeForm.allowed}.
- Addresses are strict: four decimal numbers without leading zeros, or RFC 4291 text without a zone id. An IPv4 address
  mapped into IPv6 means the IPv4 address.
`

/** One chapter for each key at the top of the file. */
function keyChapters(): string[] {
  const { properties = {}, required = [] } = annotatedSchema()
  return Object.entries(properties).map(([key, node]) => {
    const rows = shapesOf(node).flatMap((shape) =>
      childRows(shape, node.items === undefined ? key : `${key}[]`),
    )
    const itself = rowOf({ path: key, node, isRequired: required.includes(key) })
    const isPlainMap = node.anyOf === undefined && node.properties !== undefined
    const all = isPlainMap ? rows : [itself, ...rows]
    const opening = isPlainMap ? `${node.description}\n\n` : ''
    return `## ${key}\n\n${opening}${table(['key', 'type', 'default', 'allowed', 'meaning'], all)}\n`
  })
}

function reloadChapter(): string {
  const ofListeners: string[] = []
  const others: string[] = []
  for (const [first, ...rest] of keysUntilRestart()) {
    if (first === 'listeners') ofListeners.push(code(rest.slice(1).join('.')))
    else others.push(code([first, ...rest].join('.')))
  }
  return `## Reloading

\`SIGHUP\` reads everything again; with \`reloadOnChange\`, so does a change of the file, within a second or so. A file with a mistake changes nothing and is reported in the log. New values count for
sessions that begin afterwards; so do the certificates and keys that it names. These wait for a restart, and the log says so when they differ: the set of listeners,
their ${allOf(ofListeners)}, ${allOf(others)}.
`
}

function childRows(node: SchemaNode, path: string): string[][] {
  const { properties = {}, required = [], items } = node
  if (items !== undefined) return shapesOf(items).flatMap((item) => childRows(item, path))
  return Object.entries(properties).flatMap(([key, child]) => {
    const childPath = `${path}.${key}`
    const inner = shapesOf(child).flatMap((shape) =>
      childRows(shape, child.items === undefined ? childPath : `${childPath}[]`),
    )
    const isPlainMap = child.anyOf === undefined && child.properties !== undefined
    const row = rowOf({ path: childPath, node: child, isRequired: required.includes(key) && !isPlainMap })
    return [row, ...inner]
  })
}

function rowOf(field: {
  readonly path: string
  readonly node: SchemaNode
  readonly isRequired: boolean
}): string[] {
  const { path, node, isRequired } = field
  const given = node.default === undefined || JSON.stringify(node.default) === '{}' ? null : node.default
  const fallback = given === null ? (isRequired ? 'required' : '–') : code(printDefault(given))
  const type = node.properties !== undefined ? 'map' : (node.kind ?? '')
  return [code(path), type, fallback, node.allowed ?? '', node.description ?? '']
}

function printDefault(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function keyOf({ of, path }: Setting): string {
  return of === 'listener' ? `listeners[].${path.join('.')}` : path.join('.')
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

function code(text: string): string {
  return `\`${text}\``
}
