// The command line as it is typed: what it says, where, and with which exit code.

import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { completionScript } from '../../src/cli/completion.ts'
import { commandNames } from '../../src/cli/usage/commands.ts'

const root = new URL('../../', import.meta.url).pathname
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

function ftpAlg(...args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, 'dist/main.js'), ...args], {
    encoding: 'utf8',
    // In German the parser would speak German.
    env: { ...process.env, LANG: 'de_DE.UTF-8', LC_ALL: 'de_DE.UTF-8' },
    timeout: 20_000,
  })
  return { status, stdout, stderr }
}

describe('a mistake in the command line is one line, with exit code 2', () => {
  const all =
    'run, check, firewall, doctor, explain, k8s-ports, status, end, drain, resume, demo or completion'
  it.each([
    ['', `name a command: ${all} (see ftp-alg --help)`],
    ['rn', 'unknown command "rn"; did you mean run? (see ftp-alg --help)'],
    ['help chekc', 'unknown command "chekc"; did you mean check? (see ftp-alg --help)'],
    ['gateway', `unknown command "gateway"; allowed ${all} (see ftp-alg --help)`],
    ['run --upstrem x', 'unknown option --upstrem; did you mean --upstream? (see ftp-alg run --help)'],
    ['status --jsn', 'unknown option --jsn; did you mean --json? (see ftp-alg status --help)'],
    ['run -x', 'unknown option -x (see ftp-alg run --help)'],
    ['run --constructor', 'unknown option --constructor (see ftp-alg run --help)'],
    ['run --upstream', '--upstream needs a value (see ftp-alg run --help)'],
    ['check -c', '-c needs a value (see ftp-alg check --help)'],
    ['k8s-ports --range 1-2 --range 3-4', '--range is given more than once (see ftp-alg k8s-ports --help)'],
    ['end', 'end needs an argument (allowed ID…) (see ftp-alg end --help)'],
    ['explain --user a', '--client is required (see ftp-alg explain --help)'],
    ['resume --listner a', 'unknown option --listner; did you mean --listener? (see ftp-alg resume --help)'],
    ['completion bash zsh', 'unexpected argument "zsh" (see ftp-alg completion --help)'],
    [
      'run a.yaml',
      'unexpected argument "a.yaml"; a configuration file is named by --config FILE (see ftp-alg run --help)',
    ],
    ['firewall --apply --remove', '--apply and --remove contradict each other (see ftp-alg firewall --help)'],
    [
      'completion csh',
      'completion does not know "csh" (allowed bash, zsh or fish) (see ftp-alg completion --help)',
    ],
  ])('ftp-alg %s', (line, message) => {
    const args = line.split(' ').filter((word) => word !== '')
    expect(ftpAlg(...args)).toEqual({ status: 2, stdout: '', stderr: `ftp-alg: ${message}\n` })
  })
})

describe('help', () => {
  it('of a command has defaults, variables, examples, exit codes and where the rest stands', () => {
    const { status, stdout } = ftpAlg('help', 'run')
    expect(status).toBe(0)
    expect(stdout).toBe(ftpAlg('run', '--help').stdout)
    expect(stdout).toContain('(default 0.0.0.0:2121)')
    expect(stdout).toContain('[FTP_ALG_LISTEN]')
    expect(stdout).toMatch(/^ {2}ftp-alg run --upstream ftp\.example\.net +in front of one server/m)
    expect(stdout).toContain('Exit codes: 0 ok · 1 failure at run time')
    expect(stdout).toContain('man ftp-alg.yaml')
  })

  it('without a command names them all', () => {
    const { stdout } = ftpAlg('help')
    expect(commandNames.filter((name) => !stdout.includes(`  ftp-alg ${name}`))).toEqual([])
  })

  it.each(['--version', '-v', '-V'])('%s is the version of package.json', (flag) => {
    expect(ftpAlg(flag)).toEqual({ status: 0, stdout: `${manifest.version}\n`, stderr: '' })
  })
})

describe('an old Node', () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'ftp-alg-node-'))
    mkdirSync(join(folder, 'dist'))
    // Alone: whatever it imports besides would not be found.
    copyFileSync(join(root, 'dist/main.js'), join(folder, 'dist/main.js'))
    copyFileSync(join(root, 'package.json'), join(folder, 'package.json'))
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  const start = (version: string) => {
    const versions = `{ value: { ...process.versions, node: '${version}' } }`
    const pretence = `data:text/javascript,Object.defineProperty(process, 'versions', ${versions})`
    const main = join(folder, 'dist/main.js')
    return spawnSync(process.execPath, ['--import', pretence, main, 'run'], { encoding: 'utf8' })
  }

  it.each(['18.20.4', '20.18.9', '12.22.12'])('%s is told what is needed before anything else', (version) => {
    const { status, stdout, stderr } = start(version)
    expect(stderr).toMatch(/^ftp-alg: needs Node\.js 20\.19 or newer, this is [\d.]+ \(.+\): .+\n$/)
    expect(stderr).toContain(`this is ${version} `)
    expect({ status, stdout }).toEqual({ status: 3, stdout: '' })
  })

  it.each(['20.19.0', '24.0.0', '100.1.0'])('%s goes on', (version) => {
    expect(start(version).stderr).toContain('ERR_MODULE_NOT_FOUND')
  })
})

describe('the completion of bash', () => {
  const complete = (line: string): readonly string[] => {
    const words = line.split(' ')
    const quoted = words.map((word) => `'${word}'`).join(' ')
    const script = [
      'compopt() { :; }',
      completionScript('bash'),
      `COMP_WORDS=(${quoted}); COMP_CWORD=${words.length - 1}; _ftp_alg`,
      `printf '%s\\n' "\${COMPREPLY[@]}"`,
    ].join('\n')
    const { stdout, stderr } = spawnSync('bash', ['-c', script], { encoding: 'utf8', cwd: root })
    expect(stderr).toBe('')
    return stdout.split('\n').filter((word) => word !== '')
  }

  it.each([
    ['ftp-alg ru', ['run']],
    ['ftp-alg check --qu', ['--quiet']],
    ['ftp-alg run --upstream', ['--upstream', '--upstream-mode']],
    ['ftp-alg run --intercept ', ['none', 'redirect', 'tproxy']],
    ['ftp-alg run --intercept = t', ['tproxy']],
    ['ftp-alg run --listen ', []],
    ['ftp-alg check -c package.js', ['package.json']],
    ['ftp-alg completion f', ['fish']],
    ['ftp-alg help do', ['doctor']],
  ])('%s', (line, words) => {
    expect(complete(line)).toEqual(words)
  })
})
