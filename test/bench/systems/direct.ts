import type { System } from './system.ts'

/** Nothing in between but a router (or loopback): what the load client and server cost by themselves. */
export const direct: System = {
  id: 'direct',
  title: 'direct, no proxy',
  role: 'ground',
  needsNamespace: false,
  forwardsInKernel: false,
  compilesAtRunTime: false,
  suits: new Set(['sessions', 'bulk', 'parallel', 'roundTrip', 'pinhole']),
  maxIdleSessions: 0,
  prepare: async () => ({
    ok: true,
    version: '',
    start: async ({ upstream }) => ({ target: { at: upstream, user: 'anonymous' }, child: null }),
  }),
}
