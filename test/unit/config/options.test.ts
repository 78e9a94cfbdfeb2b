import { describe, expect, test } from 'vitest'
import yargs from 'yargs'
import { addConfigOptions, overridesFrom } from '../../../src/cli/options.ts'
import { configSetting, settings } from '../../../src/config/settings.ts'
import { configOf, mistakesIn } from './sources.ts'

const flags = [configSetting, ...settings].flatMap(({ flag }) => (flag === null ? [] : [flag]))

describe('the command line', () => {
  test('has the options that scripts use', () => {
    expect(flags.toSorted()).toEqual(
      [
        'config',
        'listen',
        'upstream',
        'intercept',
        'upstream-mode',
        'data-ports',
        'advertise',
        'pinholes',
        'admin',
        'workers',
        'log-level',
        'log-format',
      ].toSorted(),
    )
  })

  test('hands every option over as the text it was', () => {
    const line = flags.flatMap((flag) => [`--${flag}`, '007'])
    expect(overridesFrom(parse(line))).toEqual(Object.fromEntries(flags.map((flag) => [flag, '007'])))
  })

  test('hands over nothing that was not given', () => {
    expect(overridesFrom(parse([]))).toEqual({})
  })

  test('takes -c for --config and --no-admin for --admin off', () => {
    expect(overridesFrom(parse(['-c', 'a.yaml', '--no-admin']))).toEqual({ config: 'a.yaml', admin: 'off' })
  })

  test.each(flags)('refuses --%s without a value', (flag) => {
    expect(() => parse([`--${flag}`])).toThrow(
      `Not enough arguments following: ${flag === 'config' ? 'c' : flag}`,
    )
  })

  test('names the variable of each option in the help', async () => {
    const help = (await addConfigOptions(yargs([])).wrap(null).getHelp()).split('\n')
    const missing = [configSetting, ...settings].filter(
      ({ flag, variable }) =>
        flag !== null && !help.some((line) => line.includes(`--${flag} `) && line.includes(`[${variable}]`)),
    )
    expect(missing).toEqual([])
  })

  test('does not read the environment by itself', () => {
    process.env.FTP_ALG_UPSTREAM = 'from.environment'
    try {
      expect(overridesFrom(parse([]))).toEqual({})
    } finally {
      delete process.env.FTP_ALG_UPSTREAM
    }
  })
})

describe('a value from the command line', () => {
  test('is validated with everything else', () => {
    const line = [
      '--upstream',
      'ftp.internal',
      '--workers',
      '04',
      '--upstream-mode',
      'pasive',
      '--listen',
      '0.0.0.0:1',
      '--listen',
      '0.0.0.0:2',
    ]
    expect(mistakesIn(null, { flags: overridesFrom(parse(line)) })).toEqual([
      '--upstream-mode: is not a known value; did you mean passive? (given "pasive", allowed client, passive or active)',
      '--workers: must be a whole number (given "04", allowed 1 to 128)',
      '--listen: needs one value (given a list of 2, allowed ADDR:PORT)',
    ])
    expect(mistakesIn(null, { flags: overridesFrom(parse(['--upstream='])) })).toEqual([
      '--upstream: has no host (given "", allowed HOST, HOST:PORT or [IPv6]:PORT, as in ftp.example.net:21; without a port it is 21)',
    ])
    expect(mistakesIn(null, { flags: overridesFrom(parse(['-c', 'a.yaml', '-c', 'b.yaml'])) })).toEqual([
      '--config: needs the name of one file (given a list of 2, allowed one file)',
    ])
  })

  test('makes a whole configuration', () => {
    const line =
      '--listen :2100 --upstream [2001:db8::5] --data-ports 20000-20099 --log-format pretty --no-admin'.split(
        ' ',
      )
    expect(configOf(null, { flags: overridesFrom(parse(line)) })).toMatchObject({
      listeners: [{ listen: { address: '::', port: 2100 }, upstream: { host: '2001:db8::5', port: 21 } }],
      dataPorts: { client: { first: 20_000, last: 20_099 } },
      admin: null,
      log: { format: 'pretty' },
    })
  })
})

function parse(line: string[]) {
  const throwing = (message: string) => {
    throw new Error(message)
  }
  return addConfigOptions(yargs(line)).exitProcess(false).strict().fail(throwing).parseSync()
}
