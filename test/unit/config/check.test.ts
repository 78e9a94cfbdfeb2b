import { fstatSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { check } from '../../../src/cli/check.ts'
import { configFile, writeConfig } from './sources.ts'

test('a right configuration is printed on the output, warnings on the error stream, and the exit code is 0', async () => {
  const { exitCode, out, err } = await run(
    'listeners: [{ upstream: ftp.internal }]\npinholes: { timeout: 20s }\n',
  )
  expect(exitCode).toBe(0)
  expect(out).toMatch(
    /^listeners:\n {2}- name: default\n[\s\S]*\npinholes:\n {2}backend: relay\n {2}timeout: 20s\n[\s\S]*\nworkers: 1\n$/,
  )
  expect(err).toBe(
    `warning: ${configFile}:2:22 pinholes.timeout: is under the 30s that RFC 6384 §12 asks for: slow clients will miss their pinhole (given 20s)\nthe configuration is valid\n`,
  )
})

test('--quiet says only what is wrong', async () => {
  expect(await run('listeners: [{ upstream: ftp.internal }]\n', { quiet: true })).toEqual({
    exitCode: 0,
    out: '',
    err: '',
  })
  const wrong = await run('workers: 0\n', { quiet: true })
  expect(wrong).toMatchObject({ exitCode: 2, out: '' })
  expect(wrong.err).toContain('workers')
})

test('what it prints passes it again unchanged', async () => {
  const first = await run(
    'listeners: [{ upstream: ftp.internal }]\ndataPorts: { slice: { index: 1, of: 4 } }\n',
  )
  expect(await run(first.out)).toEqual(first)
})

test('a wrong one gives every mistake on the error stream, nothing on the output, and exit code 2', async () => {
  const { exitCode, out, err } = await run('listeners: [{ upstream: ftp.internal, name: "" }]\nworkers: 0\n')
  expect([exitCode, out]).toEqual([2, ''])
  expect(err.split('\n')).toEqual([
    expect.stringMatching(/:1:45 listeners\[0\]\.name: /),
    expect.stringMatching(/:2:10 workers: /),
    '',
  ])
})

test('in the journal each line has its priority: 3 for mistakes, 4 for warnings', async () => {
  const { dev, ino } = fstatSync(2)
  const environment = { JOURNAL_STREAM: `${dev}:${ino}` }
  const wrong = await run('listeners: [{ upstream: ftp.internal, name: "" }]\nworkers: 0\n', {
    quiet: true,
    environment,
  })
  expect(wrong.err.split('\n')).toEqual([
    expect.stringMatching(/^<3>.*:1:45 listeners\[0\]\.name: /),
    expect.stringMatching(/^<3>.*:2:10 workers: /),
    '',
  ])
  const odd = 'listeners: [{ upstream: ftp.internal }]\npinholes: { timeout: 20s }\n'
  expect((await run(odd, { quiet: true, environment })).err).toMatch(/^<4>warning: .*:2:22 /)
})

test('--print-schema prints deploy/config.schema.json without looking at any configuration', async () => {
  const { exitCode, out, err } = await run('broken: [', { printSchema: true })
  expect([exitCode, err]).toEqual([0, ''])
  expect(out).toBe(readFileSync(new URL('../../../deploy/config.schema.json', import.meta.url), 'utf8'))
})

async function run(yaml: string, { printSchema = false, quiet = false, environment = {} } = {}) {
  let [out, err] = ['', '']
  const exitCode = await check({
    flags: { config: writeConfig(yaml) },
    environment,
    ephemeralPorts: () => null,
    printSchema,
    quiet,
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (err += text) },
  })
  return { exitCode, out, err }
}
