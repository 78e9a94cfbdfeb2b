// What a reload cannot change.

import { isDeepStrictEqual } from 'node:util'
import type { Config, ListenerConfig } from './config.ts'

/**
 * The keys that differ and take effect only after a restart, in the order of the file: sockets that are open,
 * ports that are dealt out, firewall rules that stand, processes that run. Everything else counts for sessions that begin after a reload.
 *
 * `['listeners[edge].listen', 'dataPorts']`; a listener that came or went is `listeners[edge]`.
 */
export function restartNeeded(before: Config, after: Config): string[] {
  const keys: string[] = []
  const names = new Set([...before.listeners, ...after.listeners].map(({ name }) => name))
  for (const name of names) {
    const isNamed = (listener: ListenerConfig) => listener.name === name
    keys.push(
      ...listenerKeys(name, { before: before.listeners.find(isNamed), after: after.listeners.find(isNamed) }),
    )
  }
  if (!isDeepStrictEqual(before.dataPorts, after.dataPorts)) keys.push('dataPorts')
  if (before.pinholes.backend !== after.pinholes.backend) keys.push('pinholes.backend')
  if (before.pinholes.mark !== after.pinholes.mark) keys.push('pinholes.mark')
  if (!isDeepStrictEqual(before.pinholes.admit, after.pinholes.admit)) keys.push('pinholes.admit')
  if (!isDeepStrictEqual(before.admin, after.admin)) keys.push('admin.listen')
  if (before.workers !== after.workers) keys.push('workers')
  return keys
}

function listenerKeys(
  name: string,
  {
    before,
    after,
  }: { readonly before: ListenerConfig | undefined; readonly after: ListenerConfig | undefined },
): string[] {
  if (before === undefined || after === undefined) return [`listeners[${name}]`]
  const keys: string[] = []
  if (!isDeepStrictEqual(before.listen, after.listen)) keys.push(`listeners[${name}].listen`)
  if (before.intercept !== after.intercept) keys.push(`listeners[${name}].intercept`)
  return keys
}
