import { fileURLToPath } from 'node:url'
import type { System } from './system.ts'
import { everyMeasure, startIn } from './system.ts'

/** Forty lines of Node with pipe(); see naive-relay.ts. */
export const naive: System = {
  id: 'naive',
  title: 'naive Node, pipe()',
  role: 'peer',
  needsNamespace: false,
  forwardsInKernel: false,
  compilesAtRunTime: true,
  suits: everyMeasure,
  maxIdleSessions: 20_000,
  prepare: async () => ({
    ok: true,
    version: `Node ${process.versions.node}`,
    start: async (place, account) => {
      const { listen, upstream } = place
      const script = fileURLToPath(new URL('./naive-relay.js', import.meta.url))
      const args = [script, listen.address, `${listen.port}`, upstream.address, `${upstream.port}`]
      const child = startIn(place, account, { name: 'naive', program: process.execPath, args })
      return { target: { at: listen, user: 'anonymous' }, child }
    },
  }),
}
