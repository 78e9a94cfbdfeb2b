// What a reload cannot change: the keys that the schema marks with `untilRestart`, and the set of listeners.

import { isDeepStrictEqual } from 'node:util'
import type { Config, ListenerConfig } from './config.ts'
import { keysUntilRestart } from './json-schema.ts'

/**
 * The keys that differ and take effect only after a restart, in the order of the file. Everything else counts for
 * sessions that begin after a reload.
 *
 * `['listeners[edge].listen', 'dataPorts']`; a listener that came or went is `listeners[edge]`.
 */
export function restartNeeded(before: Config, after: Config): string[] {
  const names = new Set([...before.listeners, ...after.listeners].map(({ name }) => name))
  const ofListeners = [...names].flatMap((name) => {
    const [old, fresh] = [listenerNamed(before, name), listenerNamed(after, name)]
    if (old === undefined || fresh === undefined) return [`listeners[${name}]`]
    return changedKeys(listenerKeys(), old, fresh).map((key) => `listeners[${name}].${key}`)
  })
  return [...ofListeners, ...changedKeys(fileKeys(), before, after)]
}

/**
 * What a reload makes of two configurations: `after`, but with everything that `restartNeeded` would name as it was
 * `before`. A listener that came is not there yet, one that went is still there.
 */
export function keepUntilRestart(before: Config, after: Config): Config {
  const listeners = before.listeners.map((running) => {
    const next = listenerNamed(after, running.name)
    // A changed interception changes what the other keys mean.
    if (next === undefined || next.intercept !== running.intercept) return running
    return listenerKeys().reduce((kept, key) => keepKey(key, running, kept), next)
  })
  return { ...fileKeys().reduce((kept, key) => keepKey(key, before, kept), after), listeners }
}

/** `['pinholes', 'mark']`. These are called the same in the file and in a `Config`. */
type Key = readonly string[]

function fileKeys(): readonly Key[] {
  return keysUntilRestart().filter(([first]) => first !== 'listeners')
}

/** Inside one listener: `['listen']`. */
function listenerKeys(): readonly Key[] {
  return keysUntilRestart().flatMap(([first, _item, ...rest]) => (first === 'listeners' ? [rest] : []))
}

function listenerNamed({ listeners }: Config, name: string): ListenerConfig | undefined {
  return listeners.find((listener) => listener.name === name)
}

function changedKeys(keys: readonly Key[], before: object, after: object): string[] {
  return keys
    .filter((key) => !isDeepStrictEqual(valueAt(key, before), valueAt(key, after)))
    .map((key) => key.join('.'))
}

function valueAt(key: Key, config: unknown): unknown {
  return key.reduce((value, step) => (isMap(value) ? value[step] : undefined), config)
}

/** `config` with the value that `before` has there; with its whole section where either has none. */
function keepKey<T>([step = '', ...rest]: Key, before: T, config: T): T {
  if (!isMap(before) || !isMap(config)) return before
  const value = rest.length === 0 ? before[step] : keepKey(rest, before[step], config[step])
  return { ...config, [step]: value }
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}
