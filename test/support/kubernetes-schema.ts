// Two steps, because each misses what the other finds: the schema of the API (kubernetes-models) knows types and
// formats but lets unknown keys pass; the compiler refuses unknown keys. There is no API server here.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  PodMonitor,
  PrometheusRule,
  ServiceMonitor,
} from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1'
import { DaemonSet, Deployment, StatefulSet } from 'kubernetes-models/apps/v1'
import { HorizontalPodAutoscaler } from 'kubernetes-models/autoscaling/v2'
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1'
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1'
import { ConfigMap, PersistentVolumeClaim, Service, ServiceAccount } from 'kubernetes-models/v1'
import { checkCertificate } from './cert-manager.ts'
import type { KubernetesObject } from './kubernetes.ts'
import { runProgram } from './programs.ts'

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
  HorizontalPodAutoscaler: {
    module: 'kubernetes-models/autoscaling/v2',
    check: (object) => new HorizontalPodAutoscaler(asModel(object)).validate(),
  },
  NetworkPolicy: {
    module: 'kubernetes-models/networking.k8s.io/v1',
    check: (object) => new NetworkPolicy(asModel(object)).validate(),
  },
  PodDisruptionBudget: {
    module: 'kubernetes-models/policy/v1',
    check: (object) => new PodDisruptionBudget(object).validate(),
  },
  Certificate: { module: new URL('cert-manager.ts', import.meta.url).pathname, check: checkCertificate },
  PodMonitor: { module: operator, check: (object) => new PodMonitor(asModel(object)).validate() },
  ServiceMonitor: { module: operator, check: (object) => new ServiceMonitor(asModel(object)).validate() },
  PrometheusRule: { module: operator, check: (object) => new PrometheusRule(asModel(object)).validate() },
}

/** Models want what they are about to check; it comes from YAML, so the compiler cannot know. */
function asModel<Model>(object: object): Model {
  return object as Model
}

export function nameOf({ kind, metadata }: KubernetesObject): string {
  return `${kind} ${metadata.name}`
}

/** What the schema of the API says, '' when nothing. */
export function complaintAbout(object: KubernetesObject): string {
  const model = models[object.kind]
  if (model === undefined) return `${nameOf(object)}: nobody checks this kind`
  try {
    model.check(object)
    return ''
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

const root = new URL('../../', import.meta.url).pathname

/** What the compiler says about objects of known kinds, '' when nothing. Takes a second or more, however many they are. */
export async function unknownKeysIn(objects: readonly KubernetesObject[]): Promise<string> {
  mkdirSync(join(root, '.cache'), { recursive: true })
  const folder = mkdtempSync(join(root, '.cache', 'kubernetes-types-'))
  const lines = objects.flatMap((object, index) => [
    `import type { I${object.kind} as Type${index} } from '${models[object.kind]?.module}'`,
    `export const object${index} = ${JSON.stringify(object)} satisfies Type${index}`,
  ])
  const compilerOptions = {
    noEmit: true,
    rootDir: root,
    rewriteRelativeImportExtensions: false,
    skipLibCheck: true,
  }
  const tsconfig = { extends: join(root, 'tsconfig.json'), compilerOptions, include: ['objects.ts'] }
  try {
    writeFileSync(join(folder, 'objects.ts'), `${lines.join('\n')}\n`)
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(tsconfig))
    const { stdout, stderr } = await runProgram([join(root, 'node_modules/.bin/tsc'), '-p', folder])
    return stdout + stderr
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
