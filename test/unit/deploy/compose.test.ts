// deploy/compose.yaml agrees with the files that it mounts and with the program. There is no Docker here to run it.

import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { loadConfig } from '../../../src/config/load.ts'
import { configSetting, settings } from '../../../src/config/settings.ts'

interface ComposeService {
  readonly image?: string
  readonly build?: { readonly context?: string; readonly dockerfile?: string; readonly target?: string }
  readonly environment?: Readonly<Record<string, string>>
  readonly volumes?: readonly string[]
  readonly ports?: readonly string[]
  readonly stop_grace_period?: string
  readonly depends_on?: readonly string[]
}

const deploy = new URL('../../../deploy/', import.meta.url).pathname
const compose: { readonly services: Readonly<Record<string, ComposeService>> } = parse(
  readFileSync(join(deploy, 'compose.yaml'), 'utf8'),
)
const proxy = compose.services['ftp-alg']
const { config } = loadConfig({
  flags: { config: join(deploy, 'compose/ftp-alg.yaml') },
  environment: { FTP_ALG_ADVERTISE: '127.0.0.1' },
})

describe('deploy/compose.yaml', () => {
  it('has a proxy, an FTP server, Prometheus and Grafana', () => {
    expect(Object.keys(compose.services).sort()).toEqual(['ftp-alg', 'ftp-server', 'grafana', 'prometheus'])
  })

  it('mounts files that exist', () => {
    for (const [name, { volumes = [] }] of Object.entries(compose.services)) {
      for (const volume of volumes.filter((text) => text.startsWith('.'))) {
        const [source = ''] = volume.split(':')
        expect(existsSync(resolve(deploy, source)), `${name}: ${source}`).toBe(true)
        expect(volume.endsWith(':ro'), volume).toBe(true)
      }
    }
  })

  it('builds a target of the Dockerfile', () => {
    const { context = '', dockerfile = '', target } = proxy?.build ?? {}
    const text = readFileSync(resolve(deploy, context, dockerfile), 'utf8')
    expect(text).toMatch(new RegExp(`^FROM .* AS ${target}$`, 'm'))
  })

  it('publishes the ports of the configuration, one to one', () => {
    const { first, last } = config.dataPorts.client
    const control = config.listeners[0]?.listen.port
    const admin = config.admin?.listen.port
    expect(proxy?.ports).toEqual([
      `${control}:${control}`,
      `${first}-${last}:${first}-${last}`,
      `127.0.0.1:${admin}:${admin}`,
    ])
  })

  it('leads to the FTP server, and nobody else can reach that', () => {
    expect(config.listeners[0]?.upstream).toEqual({ host: 'ftp-server', port: 21 })
    expect(compose.services['ftp-server']?.ports).toBeUndefined()
  })

  it('sets only variables that ftp-alg reads', () => {
    const known: readonly string[] = [configSetting.variable, ...settings.map(({ variable }) => variable)]
    for (const name of Object.keys(proxy?.environment ?? {})) expect(known).toContain(name)
  })

  it('waits longer than a drain may take', () => {
    const seconds = Number(/^(\d+)s$/.exec(proxy?.stop_grace_period ?? '')?.[1])
    expect(seconds * 1000).toBeGreaterThan(config.shutdown.drainTimeoutMs)
  })

  it('pins every image', () => {
    for (const [name, { image, build }] of Object.entries(compose.services)) {
      if (image === undefined) expect(build, name).toBeDefined()
      else expect(image, name).toMatch(/:v?\d+\.\d+/)
    }
  })

  it('lets Prometheus scrape the admin port under the name that the alerts expect', () => {
    const { scrape_configs: jobs } = parse(readFileSync(join(deploy, 'compose/prometheus.yml'), 'utf8'))
    expect(jobs).toEqual([
      { job_name: 'ftp-alg', static_configs: [{ targets: [`ftp-alg:${config.admin?.listen.port}`] }] },
    ])
    expect(config.admin?.listen.address).toBe('0.0.0.0')
  })

  it('gives Grafana the folder that its provisioning reads', () => {
    const grafana = new URL('../../../grafana/provisioning/', import.meta.url).pathname
    const { providers } = parse(readFileSync(join(grafana, 'dashboards/ftp-alg.yaml'), 'utf8'))
    const mounted = compose.services.grafana?.volumes?.find((volume) => volume.includes('dashboards'))
    expect(mounted).toContain(`:${providers[0].options.path}:`)
    const { datasources } = parse(readFileSync(join(grafana, 'datasources/prometheus.yaml'), 'utf8'))
    expect(datasources[0].url).toBe('$PROMETHEUS_URL')
    expect(compose.services.grafana?.environment?.PROMETHEUS_URL).toBe('http://prometheus:9090')
  })
})

describe('deploy/docker', () => {
  const dockerfile = readFileSync(join(deploy, 'docker/Dockerfile'), 'utf8')

  it('copies only what its ignore file lets through', () => {
    const allowed = readFileSync(join(deploy, 'docker/Dockerfile.dockerignore'), 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('!'))
      .map((line) => line.slice(1))
    const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.*) \S+$/gm)].flatMap(([, names = '']) =>
      names.split(' '),
    )
    expect([...new Set(copied)].sort()).toEqual([...allowed].sort())
  })

  it('names users by number and starts Node without a shell', () => {
    expect([...dockerfile.matchAll(/^USER (.*)$/gm)].map(([, user]) => user)).toEqual(['0:0', '65532:65532'])
    for (const [, entry] of dockerfile.matchAll(/^ENTRYPOINT (.*)$/gm)) {
      expect(JSON.parse(entry ?? '')).toEqual(['node', '--enable-source-maps', '/app/dist/main.js'])
    }
  })

  it('ends with the image that needs no privilege, so that it is the default', () => {
    expect(dockerfile.match(/^FROM .* AS \w+$/gm)?.at(-1)).toMatch(/ AS relay$/)
  })
})
