// What a cluster makes of manifests, as nftables rules: kube-proxy's part (Services of type LoadBalancer) on the
// node, and the network plugin's part (NetworkPolicy) in the pod.

import type { NetworkPolicy, Service, Workload } from '../../../support/kubernetes.ts'

export interface Published {
  readonly service: Service
  /** Of the load balancer. */
  readonly address: string
  /** Of the pod that the Service selects. */
  readonly pod: string
}

/**
 * Connections to a Service's ports go to its pod, source address kept (`externalTrafficPolicy: Local`); connections
 * that pods open leave with the node's address.
 *
 *     ip daddr 10.77.1.1 tcp dport 30000 dnat to 10.77.2.10:30000
 */
export function nodeRules(
  published: readonly Published[],
  { workload, outward }: { readonly workload: Workload; readonly outward: string },
): string {
  const rules = published.flatMap(({ service, address, pod }) =>
    service.spec.ports.map(({ port, targetPort }) => {
      const target = typeof targetPort === 'number' ? targetPort : containerPort(workload, targetPort)
      return `ip daddr ${address} tcp dport ${port} dnat to ${pod}:${target}`
    }),
  )
  return `table ip cluster {
  chain services { type nat hook prerouting priority dstnat;
    ${rules.join('\n    ')}
  }
  chain outgoing { type nat hook postrouting priority srcnat; oifname "${outward}" ip saddr 10.77.2.0/24 masquerade; }
}`
}

/** Only what the policy names may begin, and the kubelet, from `node`; replies to what the pod began are free. */
export function podRules(policy: NetworkPolicy, workload: Workload, node?: string): string {
  const accepts = policy.spec.ingress.flatMap(({ from, ports }) =>
    ports.map(({ port, endPort }) => {
      const first = typeof port === 'number' ? port : containerPort(workload, port)
      // The monitoring namespace has no pod here.
      return from === undefined
        ? `tcp dport ${first}-${endPort ?? first} accept`
        : `# ${first} for Prometheus`
    }),
  )
  return `table inet network_policy {
  chain incoming { type filter hook input priority filter; policy drop;
    iifname "lo" accept
    ct state established,related accept
    meta l4proto ipv6-icmp accept
    ${node === undefined ? '' : `ip saddr ${node} accept`}
    ${accepts.join('\n    ')}
  }
}`
}

function containerPort(workload: Workload, name: string): number {
  const { initContainers = [], containers } = workload.spec.template.spec
  const ports = [...initContainers, ...containers].flatMap(({ ports = [] }) => ports)
  const found = ports.find((port) => port.name === name)
  if (found === undefined) throw new Error(`no container has a port ${name}`)
  return found.containerPort
}
