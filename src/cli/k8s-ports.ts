// `ftp-alg k8s-ports`: the data ports as entries of a Kubernetes Service. A Service has no port ranges, so each
// port is an entry of its own (kubernetes issue 23864); writing them by hand is error-prone.

import type { PortRangeConfig } from '../config/config.ts'
import { type ConfigSources, loadConfig } from '../config/load.ts'
import { formatPortRange, parsePortRange, portRangeForm, rangeHasPort } from '../config/port-range.ts'
import { AlgError } from '../errors.ts'
import type { TextSink } from './check.ts'

export interface K8sPortsRequest {
  /** `--range FIRST-LAST`; without it the client ports of the configuration, cut to this instance's slice. */
  readonly range: string | undefined
  /** `--service NAME`: print a whole Service, to be used as a Kustomize patch, instead of the list alone. */
  readonly service: string | undefined
  /** `--node-ports`: ask for node ports of the same numbers. */
  readonly nodePorts: boolean
  readonly sources: ConfigSources
  readonly stdout: TextSink
  readonly stderr: TextSink
}

/** What a cluster hands out unless its API server is configured otherwise (`--service-node-port-range`). */
const usualNodePorts = { first: 30_000, last: 32_767 }

/**
 * Prints one entry a port: clients connect to the announced port, the pod listens on the other one.
 *
 * `--range 30000-30001` gives
 *
 *     ports:
 *       - { name: data-30000, port: 30000, targetPort: 30000, protocol: TCP }
 *       - { name: data-30001, port: 30001, targetPort: 30001, protocol: TCP }
 *
 * Errors: `AlgError` USAGE_INVALID, CONFIG_INVALID.
 */
export async function k8sPorts(request: K8sPortsRequest): Promise<0> {
  const { range, service, nodePorts, stdout, stderr } = request
  if (service !== undefined && !/^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/.test(service)) {
    throw new AlgError(
      'USAGE_INVALID',
      `--service: is not a name for a Service (given ${service}, allowed lower case letters, digits and hyphens, as in ftp-alg)`,
    )
  }
  const ports = range === undefined ? configuredPorts(request) : parsedRange(range)
  const entries = entriesOf(ports, nodePorts)
  const announced = announcedRange(ports)
  const [first, last] = [announced.first, announced.last]
  const isUsual = rangeHasPort(usualNodePorts, first) && rangeHasPort(usualNodePorts, last)
  if (nodePorts && !isUsual) {
    stderr.write(
      `warning: ${formatPortRange(announced)} is outside the usual node ports of a cluster, ${formatPortRange(usualNodePorts)}\n`,
    )
  }
  stdout.write(service === undefined ? printList(entries, '') : printService(service, entries))
  return 0
}

function configuredPorts({ sources }: K8sPortsRequest): PortRangeConfig {
  return loadConfig(sources).config.dataPorts.client
}

function parsedRange(text: string): PortRangeConfig {
  const parsed = parsePortRange(text)
  if (parsed.ok) return { ...parsed.value, announceOffset: 0 }
  throw new AlgError(
    'USAGE_INVALID',
    `--range: ${parsed.reason} (given ${text}, allowed ${portRangeForm.allowed})`,
  )
}

function announcedRange({ first, last, announceOffset }: PortRangeConfig) {
  return { first: first + announceOffset, last: last + announceOffset }
}

function entriesOf({ first, last, announceOffset }: PortRangeConfig, nodePorts: boolean): string[] {
  return Array.from({ length: last - first + 1 }, (_, index) => {
    const target = first + index
    const port = target + announceOffset
    const nodePort = nodePorts ? `, nodePort: ${port}` : ''
    return `- { name: data-${port}, port: ${port}, targetPort: ${target}${nodePort}, protocol: TCP }`
  })
}

function printList(entries: readonly string[], indent: string): string {
  return `${indent}ports:\n${entries.map((entry) => `${indent}  ${entry}\n`).join('')}`
}

function printService(name: string, entries: readonly string[]): string {
  return `apiVersion: v1\nkind: Service\nmetadata:\n  name: ${name}\nspec:\n${printList(entries, '  ')}`
}
