// What a release depends on: one version everywhere, one place where the project lives, and a build that refuses placeholders.

import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { tracker } from '../../../src/observe/tracker.ts'

const root = new URL('../../../', import.meta.url).pathname
const read = (path: string) => readFileSync(join(root, path), 'utf8')
const manifest = JSON.parse(read('package.json'))

test('images are named with the version of package.json', () => {
  const pages = [
    'README.md',
    'docs/kubernetes.md',
    'deploy/compose.yaml',
    'deploy/docker/Dockerfile',
    ...manifests(),
  ]
  const named = pages.flatMap((page) =>
    [...read(page).matchAll(/\bftp-alg:([0-9]+\.[0-9.]+[0-9])|\bftp-alg, newTag: ([0-9.]+[0-9])/g)].map(
      ([, tag, newTag]) => `${page}: ${tag ?? newTag}`,
    ),
  )
  expect(named.length).toBeGreaterThan(8)
  expect(named.filter((name) => !name.endsWith(`: ${manifest.version}`))).toEqual([])
})

test('the lock file has the version of package.json', () => {
  expect(JSON.parse(read('package-lock.json')).version).toBe(manifest.version)
})

test('the project lives in one place', () => {
  const { homepage, bugs, repository } = manifest
  expect(bugs.url).toBe(`${homepage}/issues`)
  expect(repository).toEqual({ type: 'git', url: `git+${homepage}.git` })
})

test('a text that asks for a report says where to, as package.json has it', () => {
  const texts = [...filesBelow('src'), ...filesBelow('grafana'), ...filesBelow('deploy')].filter((name) =>
    /\.(ts|ya?ml|json)$/.test(name),
  )
  const asking = texts.flatMap((name) =>
    [...read(name).matchAll(/please report[^'"`]{0,150}/gi)].map(([text]) => `${name}: ${text}`),
  )
  // The attention of the status page, the alert and its two copies, and its test.
  expect(asking.length).toBeGreaterThanOrEqual(5)
  const said = (text: string) => text.includes(manifest.bugs.url) || /\$\{tracker\}/.test(text)
  expect(asking.filter((text) => !said(text))).toEqual([])
  expect(tracker).toBe(manifest.bugs.url)
})

test('a page that asks for a report says where to', () => {
  const pages = readdirSync(join(root, 'docs')).filter(
    (name) => name.endsWith('.md') && name !== 'security.md',
  )
  const asking = pages.flatMap((page) =>
    read(`docs/${page}`)
      .split('\n')
      .filter((line) => /\breport it\b|\bsend us\b/.test(line))
      .map((line) => `${page}: ${line}`),
  )
  expect(asking.length).toBeGreaterThan(2)
  expect(asking.filter((line) => !line.includes('security.md#reporting'))).toEqual([])
})

describe('npm run package', () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'ftp-alg-release-'))
    mkdirSync(join(folder, 'deploy'))
    cpSync(join(root, 'deploy/packages'), join(folder, 'deploy/packages'), { recursive: true })
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  const build = (homepage: string, changelog: string, ...args: readonly string[]) => {
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ version: '1.2.3', homepage }, null, 2))
    writeFileSync(join(folder, 'CHANGELOG.md'), changelog)
    const script = join(folder, 'deploy/packages/package')
    const { status, stdout, stderr } = spawnSync(script, args, { encoding: 'utf8', timeout: 20_000 })
    return { status, output: stdout + stderr }
  }

  test('refuses placeholders for the place where the project lives, and names them', () => {
    const { status, output } = build('https://example.invalid/x', '## [1.2.3] – 2026-12-24\n')
    expect(status).toBe(2)
    expect(output).toMatch(/"homepage": "https:\/\/example\.invalid\/x"\n.*docs\/releasing\.md/s)
  })

  test('refuses them in the alerts too', () => {
    mkdirSync(join(folder, 'grafana'))
    writeFileSync(join(folder, 'grafana/alerts.yml'), 'report it at https://example.invalid/ftp-alg/issues\n')
    const { status, output } = build('https://git.example.org/x', '## [1.2.3] – 2026-12-24\n')
    rmSync(join(folder, 'grafana'), { recursive: true })
    expect(status).toBe(2)
    expect(output).toContain('grafana/alerts.yml:1:')
  })

  test('refuses a version without a dated chapter in the changelog', () => {
    const { status, output } = build('https://git.example.org/x', '## [1.2.3] – unreleased\n')
    expect(status).toBe(2)
    expect(output).toContain('no dated chapter for 1.2.3')
  })

  test('refuses what it does not know', () => {
    const { status, output } = build('', '', '--only', 'snap')
    expect(status).toBe(2)
    expect(output).toContain('snap is nothing to build')
  })
})

function filesBelow(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length))
}

function manifests(): string[] {
  return ['kubernetes', 'helm'].flatMap((folder) => {
    try {
      return readdirSync(join(root, 'deploy', folder), { recursive: true, encoding: 'utf8' })
        .filter((name) => name.endsWith('.yaml'))
        .map((name) => `deploy/${folder}/${name}`)
    } catch {
      return []
    }
  })
}
