// The Helm chart: what helm itself says of it, what it renders for many values, and that it means the same as the
// overlays, which are the other way to the same objects.

import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { parse, stringify } from 'yaml'
import type { Config } from '../../../src/config/config.ts'
import { loadConfig } from '../../../src/config/load.ts'
import { prometheusFolder } from '../../support/alerts.ts'
import { chartFolder, helm, renderChart } from '../../support/helm.ts'
import {
  configurationOf,
  environmentOf,
  type KubernetesObject,
  overlays,
  proxyContainer,
  renderOverlay,
  servicesOf,
  workloadOf,
} from '../../support/kubernetes.ts'
import { complaintAbout, nameOf, unknownKeysIn } from '../../support/kubernetes-schema.ts'
import { kubernetesTools, kubernetesToolsMissing } from '../../support/kubernetes-tools.ts'
import { runProgram } from '../../support/programs.ts'
import { monitoring, overlayValues, relay, valueSets } from './helm-values.ts'

const project = new URL('../../../', import.meta.url).pathname
const folder = mkdtempSync(join(tmpdir(), 'ftp-alg-helm-'))
afterAll(() => rmSync(folder, { recursive: true }))

// Whoever comes first fetches 36 MB.
vi.setConfig({ testTimeout: 240_000 })

const missing = kubernetesToolsMissing('the Helm chart')

describe.skipIf(missing !== null)('helm', () => {
  it('lints the chart, and packages it under the version of the project', async () => {
    const linted = await helm(['lint', '--strict', chartFolder], relay)
    expect(linted.exitCode, linted.stdout + linted.stderr).toBe(0)
    const packaged = await helm(['package', chartFolder, '--destination', folder])
    expect(packaged.exitCode, packaged.stderr).toBe(0)
    const { version } = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8'))
    expect(existsSync(join(folder, `ftp-alg-${version}.tgz`))).toBe(true)
    expect(parse(readFileSync(join(chartFolder, 'Chart.yaml'), 'utf8')).appVersion).toBe(version)
    const { exitCode } = await helm(['template', 'x', join(folder, `ftp-alg-${version}.tgz`)], relay)
    expect(exitCode).toBe(0)
  })

  it('does what README says', async () => {
    const readme = readFileSync(join(project, 'README.md'), 'utf8')
    const [, command = ''] = /^helm install ((?:.*\\\n)*.*)$/m.exec(readme) ?? []
    const { helm: program } = await kubernetesTools()
    const ran = await runProgram(['sh', '-c', `"$0" template ${command}`, program], { cwd: project })
    expect(ran.exitCode, ran.stderr).toBe(0)
    expect(ran.stdout).toContain('upstream: ftp.internal.example:21')
  })

  it.each([
    [{}, 'upstream: is required in mode relay (given nothing, allowed HOST[:PORT])'],
    [{ mode: 'sidecar' }, 'server.image: is required in mode sidecar'],
    [{ mode: 'client-sidecar', upstream: 'a' }, 'application.image: is required'],
    [{ ...relay, replicas: 2 }, 'replicas: must be 1 in mode relay (given 2)'],
    [{ ...relay, autoscaling: { enabled: true } }, 'autoscaling.enabled: is for mode client-sidecar only'],
    [{ ...relay, tls: { mode: 'required' } }, 'tls.secretName: is required with tls.mode required'],
    [{ ...relay, dataPorts: '30010-30000' }, 'dataPorts: ends before it begins (given 30010-30000)'],
    [{ ...relay, mode: 'relai' }, "'/mode': value must be one of"],
    [{ ...relay, sevrice: {} }, "additional properties 'sevrice' not allowed"],
    [{ ...relay, service: { ipFamilies: ['IPv5'] } }, "'/service/ipFamilies/0': value must be one of"],
  ])('refuses %j', async (values, message) => {
    await expect(renderChart(values)).rejects.toThrow(message)
  })

  it('tells after an install where to look, for every mode', async () => {
    // helm prints notes only of a release: `helm template` with the notes as a template of its own.
    const copy = join(folder, 'notes')
    cpSync(chartFolder, copy, { recursive: true })
    writeFileSync(
      join(copy, 'templates/notes.yaml'),
      `notes: ${JSON.stringify('')}\n{{- $notes := tpl (.Files.Get "files/NOTES.txt") . }}\ntext: {{ toJson $notes }}\n`,
    )
    cpSync(join(copy, 'templates/NOTES.txt'), join(copy, 'files/NOTES.txt'))
    for (const values of [relay, ...Object.values(overlayValues)]) {
      const { stdout, stderr } = await helm(['template', 'ftp', copy, '-s', 'templates/notes.yaml'], values)
      const { text } = parse(stdout)
      expect(text, stderr).toContain('kubectl -n default rollout status')
      expect(text).not.toMatch(/<no value>|%!|\{\{/)
    }
  })
})

describe.skipIf(missing !== null)('the chart', () => {
  it('renders objects that the API would accept, whatever is set', async () => {
    const all = await Promise.all(
      [...Object.values(valueSets), ...Object.values(overlayValues)].map((values) =>
        renderChart({ monitoring, ...values }),
      ),
    )
    for (const object of all.flat()) expect(complaintAbout(object), nameOf(object)).toBe('')
    expect(await unknownKeysIn(all.flat())).toBe('')
  })

  it.each(Object.entries({ ...valueSets, ...overlayValues }))(
    'with %s has a configuration that ftp-alg check accepts, and Services for its data ports',
    async (_, values) => {
      const objects = await renderChart(values)
      const config = configOf(objects)
      const ports = proxyContainer(objects).ports ?? []
      expect(ports.find(({ name }) => name === 'admin')?.containerPort).toBe(config.admin?.listen.port)
      for (const { spec } of servicesOf(objects)) {
        const data = spec.ports.filter(({ name }) => name.startsWith('data-'))
        if (data.length === 0) continue
        const { first, last } = configOf(objects, Number(spec.selector['apps.kubernetes.io/pod-index'] ?? 0))
          .dataPorts.client
        expect([data[0]?.port, data.at(-1)?.port, data.length]).toEqual([first, last, last - first + 1])
      }
    },
  )

  it('takes what is set', async () => {
    const everything = await renderChart(valueSets['everything else'] ?? {})
    expect(configOf(everything)).toMatchObject({
      limits: { sessions: 1_000_000, idleMs: 300_000 },
      log: { level: 'debug' },
      listeners: [{ upstreamMode: 'passive' }],
    })
    expect(everything.map(nameOf)).toEqual(
      expect.arrayContaining(['ServiceAccount ftp-alg-more', 'ServiceAccount ftp-text']),
    )
    expect(proxyContainer(everything).image).toBe('registry.mine.example:5000/ftp:1.2.3')
    const [service] = servicesOf(await renderChart(valueSets['a balancer without node ports'] ?? {}))
    expect(service?.spec).toMatchObject({
      allocateLoadBalancerNodePorts: false,
      loadBalancerSourceRanges: ['203.0.113.0/24'],
    })
  })

  it('leaves the address that clients are told to PROXY headers, or to the configuration', async () => {
    const objects = await renderChart(valueSets['a gateway behind a balancer'] ?? {})
    expect(proxyContainer(objects).env?.map(({ name }) => name)).not.toContain('FTP_ALG_ADVERTISE')
    expect(configOf(objects).listeners[0]?.advertise.clients).toEqual([])
  })

  it('shows clients the certificate of a Secret', async () => {
    const objects = await renderChart({ ...relay, tls: { mode: 'required', secretName: 'edge-tls' } })
    const [listener] = configOf(objects).listeners
    expect(listener?.tls).toMatchObject({
      mode: 'required',
      certificates: [{ certificate: '/etc/ftp-alg-tls/tls.crt', key: '/etc/ftp-alg-tls/tls.key' }],
    })
    expect(proxyContainer(objects).volumeMounts).toContainEqual({
      name: 'tls',
      mountPath: '/etc/ftp-alg-tls',
      readOnly: true,
    })
    expect(workloadOf(objects).spec.template.spec.volumes).toContainEqual({
      name: 'tls',
      secret: { secretName: 'edge-tls' },
    })
  })

  it('lets two releases live in one namespace', async () => {
    for (const values of [relay, overlayValues.gateway]) {
      const [first, second] = [await renderChart(values, 'one'), await renderChart(values, 'two')]
      const names = first.map(nameOf)
      for (const object of second) expect(names).not.toContain(nameOf(object))
      for (const { spec } of servicesOf(second))
        expect(spec.selector['app.kubernetes.io/instance']).toBe('two')
      expect(workloadOf(second).spec.selector.matchLabels['app.kubernetes.io/instance']).toBe('two')
    }
  })

  it.each(overlays)('in mode %s means the same as the overlay', async (overlay) => {
    const instance = {
      labels: [{ pairs: { 'app.kubernetes.io/instance': 'ftp-alg' }, includeSelectors: true }],
    }
    const components = ['podmonitor', 'prometheus-rules', 'grafana-dashboard']
    const [ours, theirs] = [
      await renderOverlay(overlay, components, instance),
      await renderChart({ ...overlayValues[overlay], monitoring }),
    ]
    expect(configOf(theirs)).toEqual(configOf(ours))
    expect(comparable(theirs)).toEqual(comparable(ours))
  })
})

describe('files of the chart that are made', () => {
  it('files/rules.yaml has the rules of grafana/prometheus', async () => {
    const groups = ['recording.yml', 'alerts.yml'].flatMap(
      (file) => parse(readFileSync(join(prometheusFolder, file), 'utf8')).groups,
    )
    const header = '# Made from grafana/prometheus/*.yml: npx vitest run -u test/unit/deploy/helm.test.ts\n'
    await expect(header + stringify({ groups }, { lineWidth: 0 })).toMatchFileSnapshot(
      join(chartFolder, 'files/rules.yaml'),
    )
  })

  it.each(readdirSync(join(project, 'grafana/dashboards')))('files/%s is the dashboard', async (name) => {
    const dashboard = readFileSync(join(project, 'grafana/dashboards', name), 'utf8')
    await expect(dashboard).toMatchFileSnapshot(join(chartFolder, 'files', name))
  })
})

/** As `ftp-alg check` reads it in a pod of this ordinal, on a node of the family that the container expects. */
function configOf(objects: readonly KubernetesObject[], ordinal = 0): Config {
  const file = join(folder, 'config.yaml')
  writeFileSync(file, configurationOf(objects))
  const container = proxyContainer(objects)
  const isIpv6Node = JSON.stringify(container.env ?? []).includes('[$(HOST_IP)]')
  const fields = {
    'status.hostIP': isIpv6Node ? '2001:db8::10' : '192.0.2.10',
    "metadata.labels['apps.kubernetes.io/pod-index']": String(ordinal),
  }
  const environment = environmentOf(container, fields)
  return loadConfig({ flags: { config: file }, environment }).config
}

/** By kind and name, without what only says which tool made it, and without the text of config.yaml. */
function comparable(objects: readonly KubernetesObject[]): Readonly<Record<string, unknown>> {
  const hash = /(ftp-alg-config)-[a-z0-9]{10}/g
  const text = JSON.stringify(objects, (key, value) => {
    if (
      /^(helm\.sh\/|checksum\/config$|app\.kubernetes\.io\/(managed-by|version|component|part-of)$)/.test(key)
    )
      return undefined
    // What the API server fills in.
    if (key === 'imagePullPolicy' && value === 'IfNotPresent') return undefined
    return key === 'config.yaml' ? undefined : value
  })
  const plain: readonly KubernetesObject[] = JSON.parse(text.replaceAll(hash, '$1'))
  return Object.fromEntries(plain.map((object) => [nameOf(object), withoutEmpty(object)]))
}

/** Without labels, which only ConfigMaps differ in, and maps with nothing in them; lists of named things by name. */
function withoutEmpty({ metadata, ...rest }: KubernetesObject): unknown {
  const { name, annotations = {} } = metadata
  const isEmpty = (value: unknown) => JSON.stringify(value) === '{}'
  return JSON.parse(JSON.stringify({ name, annotations, ...rest }), (_, value) => {
    if (isEmpty(value)) return undefined
    if (!Array.isArray(value) || !value.every((item) => typeof item?.name === 'string')) return value
    return value.toSorted((one, other) => one.name.localeCompare(other.name))
  })
}
