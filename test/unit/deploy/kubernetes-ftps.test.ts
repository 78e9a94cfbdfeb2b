// FTPS in the manifests: what config.yaml names is what the pod mounts, and what cert-manager writes.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { loadConfig } from '../../../src/config/load.ts'
import { renderChart, type Values } from '../../support/helm.ts'
import {
  type AnyOverlay,
  allComponents,
  configurationOf,
  overlays,
  proxyContainer,
  renderOverlay,
  workloadOf,
  workloadsOf,
} from '../../support/kubernetes.ts'
import { complaintAbout } from '../../support/kubernetes-schema.ts'
import { kubernetesToolsMissing } from '../../support/kubernetes-tools.ts'
import { relay } from './helm-values.ts'

vi.setConfig({ testTimeout: 120_000 })

const missing = kubernetesToolsMissing('the FTPS values of the chart')
const folder = mkdtempSync(join(tmpdir(), 'ftp-alg-ftps-'))
afterAll(() => rmSync(folder, { recursive: true }))

const read = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8')
const component = read('deploy/kubernetes/components/ftps/kustomization.yaml')

interface Volume {
  readonly name: string
  readonly configMap?: unknown
  readonly projected?: {
    readonly sources: readonly {
      readonly configMap?: { readonly name: string }
      readonly secret?: {
        readonly name: string
        readonly items: readonly { readonly key: string; readonly path: string }[]
      }
    }[]
  }
}

/** The listener that the component's own comment shows, as YAML. */
function commentedListener(): Record<string, unknown> {
  const lines = component.split('\n').filter((line) => /^# {3}/.test(line))
  const yaml = lines
    .slice(
      0,
      lines.findIndex((line) => line.includes('kubectl')),
    )
    .map((line) => line.slice(4))
  return parse(yaml.join('\n')).listeners[0]
}

describe.each([...overlays, 'scale-out'] as AnyOverlay[])('the overlay %s with FTPS', (overlay) => {
  it('has certificate and key where the component says that config.yaml names them', async () => {
    const objects = await renderOverlay(overlay, allComponents)
    const config = parse(configurationOf(objects))
    const [listener] = config.listeners
    const file = join(folder, `${overlay}.yaml`)
    writeFileSync(
      file,
      JSON.stringify({ ...config, listeners: [{ ...listener, tls: commentedListener().tls }] }),
    )
    const loaded = loadConfig({ flags: { config: file }, environment: {} }).config
    const named = loaded.listeners[0]?.tls?.certificates.flatMap(({ certificate, key }) => [certificate, key])
    const mount = proxyContainer(objects).volumeMounts?.find(({ name }) => name === 'config')
    const volumes = (workloadOf(objects).spec.template.spec.volumes ?? []) as readonly Volume[]
    const volume = volumes.find(({ name }) => name === 'config')
    const [map, secret] = volume?.projected?.sources ?? []
    expect(volume).not.toHaveProperty('configMap')
    expect(objects.map(({ metadata }) => metadata.name)).toContain(map?.configMap?.name)
    expect(secret?.secret?.items.map(({ key }) => key)).toEqual(['tls.crt', 'tls.key'])
    expect(secret?.secret?.items.map(({ path }) => `${mount?.mountPath}/${path}`)).toEqual(named)
  })

  it('gets the Secret that cert-manager writes, and no other workload does', async () => {
    const objects = await renderOverlay(overlay, allComponents)
    const certificate = objects.find(({ kind }) => kind === 'Certificate')
    expect(certificate).toMatchObject({
      apiVersion: 'cert-manager.io/v1',
      spec: { secretName: 'ftp-alg-tls' },
    })
    const withSecret = workloadsOf(objects).filter((workload) =>
      JSON.stringify(workload).includes('"secret":{"items":'),
    )
    expect(withSecret).toEqual([workloadOf(objects)])
    expect(JSON.stringify(withSecret)).toContain('"name":"ftp-alg-tls"')
  })
})

describe('docs/kubernetes.md', () => {
  const blocks = [...read('docs/kubernetes.md').matchAll(/^ *```yaml\n(.*?)^ *```$/gms)].map(
    ([, text = '']) => text,
  )
  const having = (text: string) => blocks.find((block) => block.includes(text)) ?? ''

  it('has a kustomization with both components, and a configuration that fits them', () => {
    expect(parse(having('components/ftps')).components).toEqual([
      '../ftp-alg/deploy/kubernetes/components/ftps',
      '../ftp-alg/deploy/kubernetes/components/cert-manager',
    ])
    const [listener] = parse(having('/etc/ftp-alg/tls/tls.crt')).listeners
    expect(listener.tls).toEqual(commentedListener().tls)
  })

  it('has values for the chart with the Certificate of the component', () => {
    const values = parse(having('extraObjects:'))
    const [ours] = parseAllDocuments(read('deploy/kubernetes/components/cert-manager/certificate.yaml')).map(
      (document) => document.toJS(),
    )
    expect(values.extraObjects).toEqual([
      { ...ours, metadata: { name: 'ftp-tls' }, spec: { ...ours.spec, secretName: values.tls.secretName } },
    ])
    expect(values.tls.mode).toBe('required')
  })

  it.skipIf(missing !== null)('has values that the chart takes', async () => {
    const values: Values = parse(having('extraObjects:'))
    const objects = await renderChart({ ...relay, ...values })
    const certificate = objects.find(({ kind }) => kind === 'Certificate')
    expect(certificate && complaintAbout(certificate)).toBe('')
    expect(JSON.stringify(workloadOf(objects))).toContain('"secret":{"secretName":"ftp-tls"}')
  })
})
