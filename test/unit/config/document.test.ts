import { readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { parseDocument } from 'yaml'
import { z } from 'zod'
import { configurationPage } from '../../../src/config/document.ts'
import {
  annotatedSchema,
  printJsonSchema,
  type SchemaNode,
  schemaKeysAt,
  shapesOf,
} from '../../../src/config/json-schema.ts'
import { loadConfig } from '../../../src/config/load.ts'
import { settings } from '../../../src/config/settings.ts'
import { configOf, load } from './sources.ts'

const root = new URL('../../../', import.meta.url)
const pathTo = (name: string) => new URL(name, root).pathname

describe('what is generated is committed as it is generated', () => {
  test.each([
    ['docs/configuration.md', configurationPage],
    ['deploy/config.schema.json', printJsonSchema],
  ])('%s (run with UPDATE=1 to write it)', (name, generate) => {
    if (process.env.UPDATE === '1') writeFileSync(pathTo(name), generate())
    expect(readFileSync(pathTo(name), 'utf8')).toBe(generate())
  })
})

describe('the page about the configuration', () => {
  const page = configurationPage()
  test('has every key, flag and variable', () => {
    const keys = keyPaths(annotatedSchema())
    expect(keys).toContain('listeners[].advertise.servers[].address')
    expect(keys).toContain('dataPorts.client.announce')
    expect(
      keys.filter((key) => !page.includes(`| \`${key}\` |`) && schemaKeysAt([key]).length === 0),
    ).toEqual([])
    expect(
      settings.filter(
        ({ variable, flag }) =>
          !page.includes(`| \`${variable}\` |`) || (flag !== null && !page.includes(`| \`--${flag} `)),
      ),
    ).toEqual([])
  })

  test('leaves no cell of a table empty', () => {
    expect(page.split('\n').filter((line) => line.startsWith('|') && / \| *\|/.test(line))).toEqual([])
  })
})

describe('deploy/config/minimal.yaml', () => {
  test('is right, without warnings, and all defaults', () => {
    const { config, warnings } = loadFile('deploy/config/minimal.yaml')
    expect(warnings).toEqual([])
    expect(config).toEqual(configOf(null, { flags: { upstream: 'ftp.example.net' } }))
  })
})

describe('the examples of README.md and docs', () => {
  const pages = [
    'README.md',
    'docs/scaling.md',
    'docs/firewall.md',
    'docs/edge-gateway.md',
    'docs/routing.md',
  ]
  const examples = pages.flatMap((page) =>
    [...readFileSync(pathTo(page), 'utf8').matchAll(/^```yaml\n(.*?)^```$/gms)]
      .map(([, text = '']) => [page, text] as const)
      .filter(([, text]) => /^(listeners|pinholes):/m.test(text)),
  )

  test('are there', () => {
    expect(new Set(examples.map(([page]) => page))).toEqual(new Set(pages))
  })

  test.each(examples)('of %s are right, without warnings: %s', (_page, text) => {
    const listeners = /^listeners:/m.test(text) ? '' : 'listeners: [{ upstream: ftp.example.net }]\n'
    expect(load(`${listeners}${text}`).warnings).toEqual([])
  })
})

describe('deploy/config/full.yaml', () => {
  test('is right, without warnings, and nothing but defaults', () => {
    const { config, warnings } = loadFile('deploy/config/full.yaml')
    expect(warnings).toEqual([])
    expect(config).toEqual(loadFile('deploy/config/minimal.yaml').config)
  })

  test('has every key, where it cannot be set beside the others in a comment', () => {
    const text = readFileSync(pathTo('deploy/config/full.yaml'), 'utf8')
    const set = leafPaths(parseDocument(text).toJS(), '')
    const missing = keyPaths(annotatedSchema()).filter(
      // A pool's TLS has the keys of a listener's.
      (key) => !set.includes(key) && !set.includes(key.replace('upstreams[].', 'listeners[].')),
    )
    const commented = text
      .split('\n')
      .filter((line) => /^ *#/.test(line))
      .join('\n')
    expect(missing.filter((key) => !new RegExp(`\\b${key.split('.').at(-1)}:`).test(commented))).toEqual([])
    expect(
      missing.filter(
        (key) =>
          !/^upstreams\[\]\.|advertise\.|\.routes\[\]\.|\.login\b|^dataPorts\.|^pinholes\.admit\.|^log\.transfers\.|^admin\.(token|drainFrom)|[tT]ls\./.test(
            key,
          ),
      ),
    ).toEqual([])
  })
})

test('what stands in comments in deploy/config/full.yaml is right too', () => {
  const text = readFileSync(pathTo('deploy/config/full.yaml'), 'utf8')
  // `clients: []  # …`, `admit: {}  # …` and `transfers: false  # …` give way to the examples under them.
  const uncommented = text
    .replace(/^( *(clients|servers|admit|transfers|certificates|routes):) (\[\]|\{\}|false).*$/gm, '$1')
    .replace(/^( +ciphers:) \{\} +#.*$/gm, '$1')
    .replace(/^( +)# {1,2}(\S)/gm, '$1 $2')
    .replace(/^ +(clientCa|clientCrl|ca|name|certificate|key):/gm, '      $1:')
    .replace(/^ +(announce|slice|token|drainFrom):/gm, '  $1:')
  expect(configOf(uncommented)).toMatchObject({
    listeners: [{ advertise: { clients: [{ to: '10.0.0.0/8' }, { to: 'any' }], servers: [{ to: 'any' }] } }],
    dataPorts: { client: { first: 30_000, last: 30_249, announceOffset: 10_000 }, shared: true },
    pinholes: { admit: { ipv4: 'inet filter ftp_data', ipv6: 'inet filter ftp_data6' } },
    log: { transfers: { file: '/var/log/ftp-alg/transfers.log', format: 'json' } },
    admin: { token: '/etc/ftp-alg/admin.token', drainFrom: ['10.0.0.0/24'] },
  })
  const pools = /^# {2}- name: mainframe\n(# .*\n)+/m.exec(text)?.[0].replace(/^#/gm, ' ') ?? ''
  const servers = text.replace(/^upstreams:.*\n/m, `upstreams:\n${pools}`)
  expect(configOf(servers).upstreams).toMatchObject([{ name: 'mainframe', health: { rise: 2 } }])
  const twoPools = /^# dataPorts:\n(# .*\n)+/m.exec(text)?.[0].replace(/^# /gm, '') ?? ''
  expect(configOf(text.replace(/^dataPorts:\n( .*\n)+/m, twoPools)).dataPorts).toEqual({
    client: { first: 30_000, last: 30_999, announceOffset: 10_000 },
    server: { first: 31_000, last: 31_999, announceOffset: 0 },
    shared: false,
  })
})

describe('the JSON Schema', () => {
  // A trip through text, as an editor would read it.
  const schema = z.fromJSONSchema(JSON.parse(printJsonSchema()))

  test('accepts what the loader accepts', () => {
    const files = ['deploy/config/minimal.yaml', 'deploy/config/full.yaml'].map((name) =>
      readFileSync(pathTo(name), 'utf8'),
    )
    const others = [
      'listeners: [{ listen: ":2121", intercept: tproxy, source: client }]\ndataPorts: 20000-20099\nadmin: false\n',
      'listeners: [{ upstream: "[2001:db8::5]:990", listen: "[::1]:0" }]\nlimits: { line: 512, pinholesPerClient: 4 }\nadmin: null\n',
      'listeners: [{ upstream: a, advertise: { clients: [{ to: "::1", address: b }] } }]\npolicy: { pasvAddress: [10.0.0.0/8] }\n',
      'listeners: [{ upstream: a }]\ndataPorts: { client: { listen: 20000-20099, announce: 40000-40099 }, server: 20100-20199, slice: { index: 0, of: 2 } }\n',
    ]
    for (const text of [...files, ...others]) {
      load(text)
      expect(schema.safeParse(parseDocument(text).toJS()).error?.issues ?? []).toEqual([])
    }
  })

  test.each([
    'listeners: []',
    'listeners: [{ upsteam: a }]',
    'listeners: [{ upstream: a, intercept: maybe }]',
    'listeners: [{ upstream: a, listen: 2121 }]',
    'listeners: [{ upstream: a }]\nlimits: { idle: 60 }',
    'listeners: [{ upstream: a }]\nlimits: { sessions: 0 }',
    'listeners: [{ upstream: a }]\nworkers: 1.5',
    'listeners: [{ upstream: a }]\nextra: 1',
    'listeners: [{ upstream: a }]\nadmin: true',
  ])('refuses %s', (text) => {
    expect(schema.safeParse(parseDocument(text).toJS()).success).toBe(false)
  })
})

function loadFile(name: string) {
  return loadConfig({ flags: { config: pathTo(name) }, environment: {}, ephemeralPorts: () => null })
}

/** `limits.idle`, `listeners[].name`: every key of the schema, maps included. */
function keyPaths(node: SchemaNode, path = ''): string[] {
  return shapesOf(node).flatMap((shape) => [
    ...(shape.items === undefined ? [] : keyPaths(shape.items, `${path}[]`)),
    ...Object.entries(shape.properties ?? {}).flatMap(([key, child]) => {
      const childPath = path === '' ? key : `${path}.${key}`
      return [childPath, ...keyPaths(child, childPath)]
    }),
  ])
}

function leafPaths(value: unknown, path: string): string[] {
  if (Array.isArray(value)) return value.flatMap((item) => leafPaths(item, `${path}[]`))
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, child]) => {
    const childPath = path === '' ? key : `${path}.${key}`
    return [childPath, ...leafPaths(child, childPath)]
  })
}
