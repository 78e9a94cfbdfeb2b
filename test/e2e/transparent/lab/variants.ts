// Every way to intercept × every backend, each as one configuration with a listener for every upstream mode: which
// one a connection comes to is told by the port of the server that it was meant for.

export const upstreamModes = ['client', 'passive', 'active'] as const
export type UpstreamMode = (typeof upstreamModes)[number]

/** The servers' ports, all of which lead to their port 21. */
export const portOf: Readonly<Record<UpstreamMode, number>> = { client: 21, passive: 2101, active: 2102 }

/** For `Host.firewall` of a server's host. */
export const everyPortIsFtp = `table inet ports {
  chain prerouting {
    type nat hook prerouting priority dstnat
    tcp dport { 2101, 2102 } redirect to :21
  }
}`

export interface Variant {
  readonly intercept: 'redirect' | 'tproxy'
  readonly source: 'proxy' | 'client'
  readonly backend: 'relay' | 'nftables'
}

export const variants: readonly Variant[] = (['relay', 'nftables'] as const).flatMap((backend) => [
  { intercept: 'redirect', source: 'proxy', backend },
  { intercept: 'tproxy', source: 'proxy', backend },
  { intercept: 'tproxy', source: 'client', backend },
])

/** `tproxy, source client, nftables`. */
export function nameOf({ intercept, source, backend }: Variant): string {
  return [intercept, ...(source === 'client' ? ['source client'] : []), backend].join(', ')
}

/** The text of a configuration file; `more` is added at its end. */
export function configurationOf({ intercept, source, backend }: Variant, more = ''): string {
  const entries = upstreamModes.flatMap((upstreamMode, index) => {
    const port = 2121 + index
    // What is redirected arrives at our own addresses; what tproxy takes is better kept to loopback.
    const listens = intercept === 'redirect' ? [`[::]:${port}`] : [`127.0.0.1:${port}`, `[::1]:${port}`]
    return listens.map(
      (listen, family) => `  - name: ${upstreamMode}${family === 0 ? '' : '6'}
    listen: '${listen}'
    intercept: ${intercept}
    source: ${source}
    upstreamMode: ${upstreamMode}
    matches: { ports: [${portOf[upstreamMode]}] }`,
    )
  })
  return `listeners:\n${entries.join('\n')}\npinholes: { backend: ${backend} }\n${more}`
}
