import type { PinholeBackend } from './backend.ts'

/** The same backend with all bytes coming to us: for servers to which the kernel cannot forward. */
export function relaying(backend: PinholeBackend): PinholeBackend {
  if (backend.name === 'relay') return backend
  return {
    name: 'relay',
    open: (request, events, opened) => backend.open({ ...request, target: null }, events, opened),
    closeAll: () => backend.closeAll(),
    use: () => backend.use(),
  }
}
