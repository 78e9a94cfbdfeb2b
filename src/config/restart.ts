// What a reload cannot change.

import { isDeepStrictEqual } from 'node:util'
import type { Config, ListenerConfig } from './config.ts'

/**
 * The keys that differ and take effect only after a restart, in the order of the file: sockets that are open,
 * ports that are dealt out, firewall rules that stand, a log that is being written, processes that run. Everything else
 * counts for sessions that begin after a reload.
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
  if (before.pinholes.table !== after.pinholes.table) keys.push('pinholes.table')
  if (!isDeepStrictEqual(before.pinholes.admit, after.pinholes.admit)) keys.push('pinholes.admit')
  if (before.limits.pinholesPerClient !== after.limits.pinholesPerClient)
    keys.push('limits.pinholesPerClient')
  if (!isDeepStrictEqual(before.admin, after.admin)) keys.push('admin.listen')
  if (before.log.format !== after.log.format) keys.push('log.format')
  if (before.workers !== after.workers) keys.push('workers')
  return keys
}

/**
 * What a reload makes of two configurations: `after`, but with everything that `restartNeeded` would name as it was
 * `before`. A listener that came is not there yet, one that went is still there.
 */
export function keepUntilRestart(before: Config, after: Config): Config {
  const { backend, mark, table, admit } = before.pinholes
  return {
    ...after,
    listeners: before.listeners.map((running) => {
      const next = after.listeners.find(({ name }) => name === running.name)
      // A changed interception changes what the other keys mean.
      if (next === undefined || next.intercept !== running.intercept) return running
      return { ...next, listen: running.listen }
    }),
    dataPorts: before.dataPorts,
    pinholes: {
      backend,
      timeoutMs: after.pinholes.timeoutMs,
      ...(mark === undefined ? {} : { mark }),
      ...(table === undefined ? {} : { table }),
      ...(admit === undefined ? {} : { admit }),
    },
    limits: { ...after.limits, pinholesPerClient: before.limits.pinholesPerClient },
    admin: before.admin,
    log: { ...after.log, format: before.log.format },
    workers: before.workers,
  }
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
