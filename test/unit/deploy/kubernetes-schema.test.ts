// Two steps, because each misses what the other finds: the schema of the API (kubernetes-models) knows types and
// formats but lets unknown keys pass; the compiler refuses unknown keys. There is no API server here.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PodMonitor, PrometheusRule } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1'
import { DaemonSet, Deployment, StatefulSet } from 'kubernetes-models/apps/v1'
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1'
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1'
import { ConfigMap, PersistentVolumeClaim, Service, ServiceAccount } from 'kubernetes-models/v1'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type KubernetesObject, overlays, renderOverlay } from '../../support/kubernetes.ts'
import { runProgram } from '../../support/programs.ts'

const core = 'kubernetes-models/v1'
const apps = 'kubernetes-models/apps/v1'
const operator = '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1'

/** How each kind is checked: its model, and the module with its type. */
const models: Readonly<
  Record<string, { readonly module: string; readonly check: (object: object) => void }>
> = {
  ConfigMap: { module: core, check: (object) => new ConfigMap(object).validate() },
  Service: { module: core, check: (object) => new Service(object).validate() },
  ServiceAccount: { module: core, check: (object) => new ServiceAccount(object).validate() },
  PersistentVolumeClaim: {
    module: core,
    check: (object) => new PersistentVolumeClaim(object).validate(),
  },
  Deployment: { module: apps, check: (object) => new Deployment(asModel(object)).validate() },
  StatefulSet: { module: apps, check: (object) => new StatefulSet(asModel(object)).validate() },
  DaemonSet: { module: apps, check: (object) => new DaemonSet(asModel(object)).validate() },
  NetworkPolicy: {
    module: 'kubernetes-models/networking.k8s.io/v1',
    check: (object) => new NetworkPolicy(asModel(object)).validate(),
  },
  PodDisruptionBudget: {
    module: 'kubernetes-models/policy/v1',
    check: (object) => new PodDisruptionBudget(object).validate(),
  },
  PodMonitor: { module: operator, check: (object) => new PodMonitor(asModel(object)).validate() },
  PrometheusRule: { module: operator, check: (object) => new PrometheusRule(asModel(object)).validate() },
}

/** Models want what they are about to check; it comes from YAML, so the compiler cannot know. */
function asModel<Model>(object: object): Model {
  return object as Model
}

const root = new URL('../../../', import.meta.url).pathname
let folder: string

beforeAll(() => {
  mkdirSync(join(root, '.cache'), { recursive: true })
  folder = mkdtempSync(join(root, '.cache', 'kubernetes-types-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe.each(overlays)('the overlay %s', { timeout: 120_000 }, (overlay) => {
  it('has objects of known kinds that the schemas of the API accept', async () => {
    const objects = await everythingOf(overlay)
    expect(objects.length).toBeGreaterThan(4)
    for (const object of objects) expect(complaintAbout(object), nameOf(object)).toBe('')
  })

  it('has no key that the types of the API do not know', async () => {
    expect(await compile(await everythingOf(overlay))).toBe('')
  })
})

describe('the two steps together', { timeout: 120_000 }, () => {
  it('find wrong types and unknown keys', async () => {
    const objects = await renderOverlay('gateway')
    const broken = (from: string, to: string): KubernetesObject[] =>
      JSON.parse(JSON.stringify(objects).replace(from, to))
    const complaints = (list: readonly KubernetesObject[]) => list.map(complaintAbout).join('')
    expect(complaints(broken('"endPort":30049', '"endPort":"30049"'))).toContain('endPort must be integer')
    expect(complaints(broken('"replicas":2', '"replicas":"2"'))).toContain('replicas must be integer')
    expect(await compile(broken('"readinessProbe"', '"readynessProbe"'))).toContain('readynessProbe')
    expect(await compile(broken('"readOnlyRootFilesystem"', '"readonlyRootFilesystem"'))).toContain(
      'readonlyRootFilesystem',
    )
  })
})

async function everythingOf(overlay: (typeof overlays)[number]): Promise<readonly KubernetesObject[]> {
  return renderOverlay(overlay, ['podmonitor', 'prometheus-rules', 'grafana-dashboard'])
}

function nameOf({ kind, metadata }: KubernetesObject): string {
  return `${kind} ${metadata.name}`
}

/** What the schema says, '' when nothing. */
function complaintAbout(object: KubernetesObject): string {
  const model = models[object.kind]
  if (model === undefined) return `${nameOf(object)}: nobody checks this kind`
  try {
    model.check(object)
    return ''
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

/** What the compiler says, '' when nothing. */
async function compile(objects: readonly KubernetesObject[]): Promise<string> {
  const lines = objects.flatMap((object, index) => [
    `import type { I${object.kind} as Type${index} } from '${models[object.kind]?.module}'`,
    `export const object${index} = ${JSON.stringify(object)} satisfies Type${index}`,
  ])
  writeFileSync(join(folder, 'objects.ts'), `${lines.join('\n')}\n`)
  const compilerOptions = {
    noEmit: true,
    rootDir: root,
    rewriteRelativeImportExtensions: false,
    skipLibCheck: true,
  }
  const tsconfig = { extends: join(root, 'tsconfig.json'), compilerOptions, include: ['objects.ts'] }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(tsconfig))
  const { stdout, stderr } = await runProgram([join(root, 'node_modules/.bin/tsc'), '-p', folder])
  return stdout + stderr
}
