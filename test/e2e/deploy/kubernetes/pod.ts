// Runs ftp-alg as a pod of an overlay would: the ConfigMap as it is, the environment that the kubelet would make,
// the capabilities of the container and no others, names from a hosts file instead of the cluster's DNS.

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  configurationOf,
  environmentOf,
  type KubernetesObject,
  proxyContainer,
} from '../../../support/kubernetes.ts'
import type { Place } from '../../../support/programs.ts'
import { type RunningProxy, startProxy } from '../../../support/proxy.ts'

export interface PodPlan {
  readonly objects: readonly KubernetesObject[]
  readonly place: Place
  /** What the cluster's DNS would say: `{ 'ftp.example.net': '10.77.1.1' }`. */
  readonly names: Readonly<Record<string, string>>
  /** Fields of the pod: `{ 'metadata.name': 'ftp-alg-0' }`. */
  readonly fields?: Readonly<Record<string, string>>
  /** Where the admin listener is to be asked. */
  readonly admin?: { readonly address: string; readonly port: number }
}

export interface Pod {
  readonly proxy: RunningProxy
  /** The pod's place, with its names and capabilities. */
  readonly place: Place
  /** Where the ConfigMap is mounted. */
  readonly config: string
  stop(): Promise<void>
}

export async function startPod({ objects, place, names, fields = {}, admin }: PodPlan): Promise<Pod> {
  const folder = await mkdtemp(join(tmpdir(), 'ftp-alg-pod-'))
  const config = join(folder, 'config.yaml')
  await mkdir(join(folder, 'etc'))
  const hosts = Object.entries({ localhost: '127.0.0.1', ...names }).map(
    ([name, address]) => `${address} ${name}`,
  )
  await writeFile(join(folder, 'etc/hosts'), `${hosts.join('\n')}\n`)
  // Nobody answers there, and says so at once.
  await writeFile(join(folder, 'etc/resolv.conf'), 'nameserver 127.0.0.1\n')
  await writeFile(config, configurationOf(objects))
  const container = proxyContainer(objects)
  const inside = insidePod(place, folder, capabilitiesOf(container.securityContext))
  const env = environmentOf(container, fields)
  const proxy = await startProxy({
    place: inside,
    flags: ['--config', config],
    env,
    admin: admin ?? { address: '0.0.0.0', port: 9121 },
  })
  const stop = async () => {
    await proxy.stop()
    await rm(folder, { recursive: true })
  }
  return { proxy, place: inside, config, stop }
}

/** Own names, and as root of the container only these capabilities: `+net_admin`, or none. */
function insidePod(place: Place, folder: string, capabilities: readonly string[]): Place {
  const binds = ['hosts', 'resolv.conf'].map((file) => `mount --bind ${folder}/etc/${file} /etc/${file}`)
  const script = `${binds.join(' && ')} && exec "$@"`
  const bounding = ['-all', ...capabilities.map((name) => `+${name}`)].join(',')
  const restricted = ['setpriv', `--bounding-set=${bounding}`, '--inh-caps=-all', '--no-new-privs']
  return {
    name: `a pod in ${place.name}`,
    command: (argv) =>
      place.command(['unshare', '--mount', 'sh', '-c', script, 'sh', ...restricted, ...argv]),
  }
}

function capabilitiesOf(securityContext: Readonly<Record<string, unknown>> = {}): string[] {
  const { capabilities }: { capabilities?: { add?: readonly string[] } } = { ...securityContext }
  return (capabilities?.add ?? []).map((name) => name.toLowerCase())
}
