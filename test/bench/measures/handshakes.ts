import type { Measure } from './measure.ts'
import { withCpu } from './measure.ts'

const clients = 16

/** What it costs to let a client in: TCP and TLS, the connection to the server, its greeting, and the end of both. */
export function handshakesMeasure({ seconds }: { readonly seconds: number }): Measure {
  return {
    id: 'handshakes',
    name: 'handshakes',
    title: 'Handshakes',
    method: `${clients} clients connect, with a full handshake each, and leave when they have the greeting, over and over.`,
    metrics: [{ id: 'cpu', title: 'proxy CPU per handshake', unit: 'ms', better: 'less' }],
    suits: ({ system }) => system.suits.has('handshakes'),
    async run(lab, contestant) {
      const { target } = contestant
      const { result, cpuSeconds } = await withCpu(contestant, () =>
        lab.run({ kind: 'handshakes', target, clients, seconds }),
      )
      const { completed, failures } = result
      return { values: completed === 0 ? {} : { cpu: (1000 * cpuSeconds) / completed }, failures }
    },
  }
}
