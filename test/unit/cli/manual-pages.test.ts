import { readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { commandManual } from '../../../src/cli/manual-page.ts'
import { commands, configOptions, exitCodes, optionsOf } from '../../../src/cli/usage/commands.ts'
import { printConfig } from '../../../src/config/effective.ts'
import { annotatedSchema, type SchemaNode, shapesOf } from '../../../src/config/json-schema.ts'
import { loadConfig } from '../../../src/config/load.ts'
import { configurationManual } from '../../../src/config/manual-page.ts'
import { roffText } from '../../../src/config/roff.ts'
import { configSetting, settings } from '../../../src/config/settings.ts'
import { errorCodes } from '../../../src/errors.ts'

const pathTo = (name: string) => new URL(`../../../${name}`, import.meta.url).pathname

describe('the manual pages are committed as they are generated', () => {
  test.each([
    ['deploy/man/ftp-alg.8', commandManual],
    ['deploy/man/ftp-alg.yaml.5', configurationManual],
  ])('%s (run with UPDATE=1 to write it)', (name, generate) => {
    if (process.env.UPDATE === '1') writeFileSync(pathTo(name), generate())
    expect(readFileSync(pathTo(name), 'utf8')).toBe(generate())
  })
})

test('ftp-alg(8) has every command, option and variable', () => {
  const page = commandManual()
  const named = [
    ...commands.map(({ name }) => `ftp-alg ${name}`),
    ...[...commands.flatMap(optionsOf), ...configOptions].map(({ name }) => `--${name}`),
    ...[configSetting, ...settings].map(({ variable }) => variable),
  ]
  expect(named.length).toBeGreaterThan(30)
  expect(named.filter((name) => !page.includes(roffText(name)))).toEqual([])
})

test('ftp-alg.yaml(5) has every key', () => {
  const page = configurationManual()
  const keys = pathsIn(annotatedSchema(), '')
  expect(keys).toContain('listeners[].advertise.servers[].address')
  expect(keys.filter((key) => !page.includes(`\n.B "${roffText(key)}"\n`))).toEqual([])
})

test('the exit codes are those of the errors', () => {
  const known = Object.values(errorCodes).flatMap((entry) => ('exit' in entry ? [entry.exit] : []))
  expect(exitCodes.map(({ code }) => code)).toEqual([0, ...new Set([...known].sort())])
})

test('text does not turn into requests or escapes of roff', () => {
  expect(roffText('.so /etc/passwd')).toBe('\\&.so /etc/passwd')
  expect(roffText("'em \\n ^~ a-b")).toBe("\\&'em \\en \\(ha\\(ti a\\-b")
  expect(roffText('see `a-b`')).toBe('see \\fBa\\-b\\fR')
})

test('the defaults that the usage text has are those of the schema', () => {
  const flags = { upstream: 'ftp.example.net' }
  const tree = parse(printConfig(loadConfig({ flags, environment: {} }).config))
  const shown = settings.flatMap(({ of, path, fallback, flag }) => {
    if (fallback === undefined) return []
    const whole = flag === 'admin' ? ['admin', 'listen'] : path
    const keys = of === 'listener' ? ['listeners', '0', ...whole] : whole
    return [[flag, fallback, String(keys.reduce((node, key) => node[key], tree))]]
  })
  expect(shown.length).toBeGreaterThan(7)
  expect(shown.filter(([, fallback, real]) => fallback !== real)).toEqual([])
})

function pathsIn(node: SchemaNode, path: string): string[] {
  if (node.items !== undefined) return shapesOf(node.items).flatMap((item) => pathsIn(item, `${path}[]`))
  return shapesOf(node).flatMap(({ properties = {} }) =>
    Object.entries(properties).flatMap(([key, child]) => {
      const childPath = path === '' ? key : `${path}.${key}`
      return [childPath, ...pathsIn(child, childPath)]
    }),
  )
}
