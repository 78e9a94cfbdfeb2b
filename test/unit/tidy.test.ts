import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { describe, expect, test } from 'vitest'

// The rules of the house that the compiler does not check: who may import whom, what the pure rooms may touch, how
// long a file may be and how things are named.

const src = new URL('../../src/', import.meta.url).pathname
const unit = new URL('.', import.meta.url).pathname

/** A room is a folder of src, or a file right in it. */
type Room = keyof typeof mayImport

/**
 * Whom each room may import besides itself, types included; from top to bottom, so that no import goes up and there
 * is no circle. `pinhole/backend.ts` and the like: that file only, the contract of a room whose inside is nobody's
 * business.
 */
const mayImport = {
  'main.ts': ['cli'],
  cli: [
    'service.ts',
    'cluster',
    'app.ts',
    'process',
    'demo',
    'net',
    'pinhole',
    'observe',
    'tls',
    'tcp',
    'firewall',
    'kernel',
    'config',
    'routing',
    'ftp',
    'errors.ts',
  ],
  'service.ts': ['cluster', 'app.ts', 'process', 'pinhole', 'observe', 'firewall', 'config'],
  cluster: ['app.ts', 'process', 'observe', 'config', 'vocabulary.ts', 'errors.ts'],
  'app.ts': ['net', 'pinhole', 'observe', 'tls', 'tcp', 'process', 'kernel', 'config', 'ftp'],
  process: ['kernel', 'errors.ts'],
  demo: ['ftp', 'errors.ts'],
  net: [
    'pinhole/backend.ts',
    'observe/observer.ts',
    'tls',
    'tcp',
    'kernel',
    'timing',
    'config/config.ts',
    'config/pool-settings.ts',
    'engine',
    'routing',
    'ftp',
    'vocabulary.ts',
    'errors.ts',
  ],
  pinhole: [
    'observe/observer.ts',
    'tcp',
    'firewall',
    'kernel',
    'timing',
    'config/config.ts',
    'engine/contract.ts',
    'ftp',
    'vocabulary.ts',
    'errors.ts',
  ],
  observe: [
    'config/config.ts',
    'config/pool-settings.ts',
    'engine/contract.ts',
    'ftp',
    'vocabulary.ts',
    'errors.ts',
  ],
  tls: ['tcp', 'kernel', 'config/config.ts', 'config/pool-settings.ts', 'ftp', 'vocabulary.ts', 'errors.ts'],
  tcp: ['kernel', 'ftp', 'vocabulary.ts', 'errors.ts'],
  firewall: ['kernel', 'config/config.ts', 'ftp', 'errors.ts'],
  kernel: ['ftp', 'vocabulary.ts', 'errors.ts'],
  timing: [],
  config: ['routing', 'ftp', 'vocabulary.ts', 'errors.ts'],
  engine: ['ftp', 'errors.ts'],
  routing: ['ftp'],
  ftp: ['errors.ts'],
  'vocabulary.ts': [],
  'errors.ts': [],
} as const satisfies Record<string, readonly string[]>

/** Packages of others, each in the one room that knows it; Node's own are everybody's but the pure rooms'. */
const packages: Readonly<Record<string, readonly string[]>> = {
  yargs: ['cli'],
  'basic-ftp': ['cli', 'demo'],
  pino: ['observe'],
  'prom-client': ['observe'],
  yaml: ['config'],
  zod: ['config'],
  koffi: ['kernel'],
  'ipaddr.js': ['ftp', 'config', 'kernel'],
}
const pureRooms = ['ftp', 'engine', 'timing', 'vocabulary.ts', 'errors.ts']

const files = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((path) => ({ path, room: path.split('/')[0] ?? '', text: readFileSync(join(src, path), 'utf8') }))
  .map((file) => ({ ...file, code: codeOf(file.text), imports: importsOf(file.text) }))

describe('imports', () => {
  test('every room of src is in the list', () => {
    expect([...new Set(files.map(({ room }) => room))].filter((room) => !(room in mayImport))).toEqual([])
  })

  test('rooms are listed from top to bottom: nobody is allowed to import a room above, not even its types', () => {
    const rooms = Object.keys(mayImport)
    const upward = Object.entries(mayImport).flatMap(([room, allowed]) =>
      allowed.filter((other) => rooms.indexOf(other.replace(/\/.*/, '')) <= rooms.indexOf(room)),
    )
    expect(upward).toEqual([])
  })

  test('point one way', () => {
    const wrong = files.flatMap(({ path, room, imports }) =>
      imports
        .filter((imported) => imported.startsWith('.'))
        .map((imported) => normalize(join(dirname(path), imported)))
        .filter((target) => !isAllowed(room, target))
        .map((target) => `${path} imports ${target}`),
    )
    expect(wrong).toEqual([])
  })

  test('make no circle of files, not even of types only', () => {
    const targets = files.map(({ path, imports }): [string, string[]] => [
      path,
      imports
        .filter((imported) => imported.startsWith('.'))
        .map((imported) => normalize(join(dirname(path), imported))),
    ])
    expect(circlesIn(new Map(targets))).toEqual([])
  })

  test('are seen as a circle only when they come back', () => {
    const chain: [string, string[]][] = [
      ['a.ts', ['b.ts', 'c.ts']],
      ['b.ts', ['c.ts']],
      ['c.ts', []],
    ]
    expect(circlesIn(new Map(chain))).toEqual([])
    expect(circlesIn(new Map([...chain, ['c.ts', ['d.ts']], ['d.ts', ['b.ts']]]))).toEqual([
      'b.ts → c.ts → d.ts → b.ts',
    ])
  })

  test('of a contract from below are imports of types', () => {
    const contracts = new Set([
      'config/config.ts',
      'engine/contract.ts',
      'observe/observer.ts',
      'pinhole/backend.ts',
    ])
    const wrong = files.flatMap(({ path, room, text }) =>
      [...text.matchAll(/^import (?!type )[^']*?from '(\.[^']+)'/gm)]
        .map(([, imported = '']) => normalize(join(dirname(path), imported)))
        .filter((target) => contracts.has(target) && !target.startsWith(`${room}/`))
        .map((target) => `${path} imports values of ${target}`),
    )
    expect(wrong).toEqual([])
  })

  test('name their file with its suffix', () => {
    const wrong = files.flatMap(({ path, imports }) =>
      imports
        .filter((imported) => imported.startsWith('.') && !imported.endsWith('.ts'))
        .map((it) => `${path}: ${it}`),
    )
    expect(wrong).toEqual([])
  })

  test('of packages stand in the room that knows the package', () => {
    const wrong = files.flatMap(({ path, room, imports }) =>
      imports
        .filter((imported) => !imported.startsWith('.') && !imported.startsWith('node:'))
        .filter((imported) => packages[imported.replace(/\/.*/, '')]?.includes(room) !== true)
        .map((imported) => `${path} imports ${imported}`),
    )
    expect(wrong).toEqual([])
  })
})

describe('the pure rooms', () => {
  const pure = files.filter(({ room }) => pureRooms.includes(room))

  test('import nothing from Node', () => {
    expect(
      pure.filter(({ imports }) => imports.some((it) => it.startsWith('node:'))).map(({ path }) => path),
    ).toEqual([])
  })

  test('know no clock, no chance, no bytes and no process', () => {
    const world =
      /(?<!\.)\b(Buffer|process|console|setTimeout|setInterval|setImmediate|queueMicrotask|performance|Date|crypto|globalThis|require|fetch)\b|\bMath\.random\b|\bawait\b|\bPromise\b/
    expect(
      pure
        .filter(({ code }) => world.test(code))
        .map(({ path, code }) => `${path}: ${world.exec(code)?.[0]}`),
    ).toEqual([])
  })
})

describe('files', () => {
  test('are at most 300 lines long', () => {
    const long = files.map(({ path, text }) => ({ path, lines: text.split('\n').length - 1 }))
    expect(long.filter(({ lines }) => lines > 300)).toEqual([])
  })

  test('and folders are named with nouns in kebab-case', () => {
    const odd = files.filter(
      ({ path }) => !/^([a-z0-9]+(-[a-z0-9]+)*\/)*[a-z0-9]+(-[a-z0-9]+)*\.ts$/.test(path),
    )
    const vague = files.filter(({ path }) =>
      /(^|[/-])(utils?|helpers?|managers?|common|misc|index)([/.-]|$)/.test(path),
    )
    expect([...odd, ...vague].map(({ path }) => path)).toEqual([])
  })

  test('of the unit tests stand where their subject does', () => {
    const folders = readdirSync(unit, { withFileTypes: true }).filter((entry) => entry.isDirectory())
    const rooms = new Set([...files.map(({ room }) => room), ...notInSrc])
    expect(folders.map(({ name }) => name).filter((name) => !rooms.has(name))).toEqual([])
  })
})

describe('docs/architecture.md', () => {
  const page = readFileSync(new URL('../../docs/architecture.md', import.meta.url), 'utf8')
  const section = (title: string) => page.split(`\n## ${title}\n`)[1]?.split('\n## ')[0] ?? ''
  const code = (text: string) => [...text.matchAll(/`([^`]+)`/g)].map(([, word = '']) => word)

  test.each([
    ['The rooms', src],
    ['The tests', join(unit, '..')],
  ])('%s: names every folder that exists, and no other', (title, root) => {
    const folders = readdirSync(root, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => `${join(entry.parentPath, entry.name).slice(root.length)}/`.replace(/^\//, ''))
      .filter((folder) => !/^(fixtures\/transcripts\/.|node_modules\/)/.test(folder))
    const named = new Set(code(section(title)).filter((word) => word.endsWith('/')))
    expect([...named].sort()).toEqual(folders.sort())
  })

  test('says who may import whom as it is checked here', () => {
    const rows = [...section('The rooms').matchAll(/^\| `([^`]+)` \|.*\|([^|]*)\|$/gm)]
    const said = rows.map(([, room = '', imports = '']) => [room.replace('/', ''), code(imports)])
    const checked = Object.entries(mayImport)
      .map(([room, allowed]) => [room, allowed.filter((other) => other !== 'errors.ts')])
      .filter(([room]) => room !== 'errors.ts')
    expect(said).toEqual(checked)
  })
})

describe('code', () => {
  const anys = /(:|<|\||&|\bas|=)\s*any\b.*/g
  const bangs = /[\w)\]]!(?![=\w]).*/g
  const reexports = /^export default\b.*|^export (type )?(\*|\{[^}]*\}) from.*/gm
  const found = (pattern: RegExp) =>
    files.flatMap(({ path, code }) => [...code.matchAll(pattern)].map(([text]) => `${path}: ${text.trim()}`))

  test('is seen by these checks as they mean it', () => {
    const bad = 'const a: any = b!.c\nexport default a\nexport { b } from "./b.ts"\n'
    expect([anys, bangs, reexports].map((pattern) => [...bad.matchAll(pattern)].length)).toEqual([1, 1, 2])
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is source text.
    const good = "// b!.c: any\nconst a = 'as any' // b!\nif (!a !== b) c(`${!d}: any!`)\nconst e = /f!/g\n"
    expect([anys, bangs, reexports].map((pattern) => [...codeOf(good).matchAll(pattern)].length)).toEqual([
      0, 0, 0,
    ])
    expect(importsOf("import { a } from './a.ts'\nimport 'b'\nconst c = await import('node:c')\n")).toEqual([
      './a.ts',
      'b',
      'node:c',
    ])
  })

  test('has no default exports and hands on no exports of others', () => {
    expect(found(reexports)).toEqual([])
  })

  test('says neither any nor !', () => {
    expect(found(anys)).toEqual([])
    expect(found(bangs)).toEqual([])
  })

  test('gives no text to a shell', () => {
    expect(found(/(?<!\.)\bexec(Sync)?\(.*|\bspawnSync\(.*|\bshell:.*/g)).toEqual([])
  })

  test('leaves nothing to be done', () => {
    expect(files.filter(({ text }) => /\b(TODO|FIXME|XXX)\b/.test(text)).map(({ path }) => path)).toEqual([])
  })
})

/** Folders of test/unit whose subject is not in src. */
const notInSrc = ['deploy']

function isAllowed(room: string, target: string): boolean {
  const targetRoom = target.split('/')[0] ?? ''
  if (targetRoom === room) return true
  const allowed: readonly string[] = room in mayImport ? mayImport[room as Room] : []
  return allowed.includes(targetRoom) || allowed.includes(target)
}

/** One circle, as `a.ts → b.ts → a.ts`, for each import that closes one on a walk through all files. */
function circlesIn(imports: ReadonlyMap<string, readonly string[]>): string[] {
  const circles: string[] = []
  const walked = new Set<string>()
  const walk = (file: string, way: readonly string[]) => {
    const start = way.indexOf(file)
    if (start >= 0) circles.push([...way.slice(start), file].join(' → '))
    if (start >= 0 || walked.has(file)) return
    walked.add(file)
    for (const target of imports.get(file) ?? []) walk(target, [...way, file])
  }
  for (const file of imports.keys()) walk(file, [])
  return circles
}

function importsOf(text: string): string[] {
  const statements = text.matchAll(
    /^(?:import|export)\b[^'"]*?\bfrom '([^']+)'|^import '([^']+)'|\bimport\('([^']+)'\)/gm,
  )
  return [...statements].map(([, from, bare, dynamic]) => from ?? bare ?? dynamic ?? '')
}

/** The text without comments, and with the insides of strings and regular expressions taken out. */
function codeOf(text: string): string {
  return text.replace(
    /\/\*[\s\S]*?\*\/|\/\/.*|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`|(?<=[(=,:!&|?{};]\s*|return )\/(?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/g,
    (match) =>
      match.startsWith('/*') || match.startsWith('//')
        ? ''
        : match.startsWith('`')
          ? templateOf(match)
          : "''",
  )
}

/** What a template computes is code. */
function templateOf(template: string): string {
  return [...template.matchAll(/\$\{([^}]*)\}/g)].map(([, code]) => `(${code})`).join('')
}
