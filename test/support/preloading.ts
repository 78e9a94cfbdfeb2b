// Modules that a process of Node, and its workers, import before everything else.

/** The environment for a process that is to import this text first. */
export function preloading(text: string): Readonly<Record<string, string>> {
  return { NODE_OPTIONS: `--import=${asModule(text)}` }
}

const refuse = `export async function resolve(name, context, next) {
  if (name === 'koffi') throw Object.assign(new Error('Cannot find package koffi'), { code: 'ERR_MODULE_NOT_FOUND' })
  return next(name, context)
}`

/** Hides the optional package koffi from whatever is imported, as where it is not installed. */
export const hideKoffi: string = `import { register } from 'node:module'; register(${JSON.stringify(asModule(refuse))})`

function asModule(text: string): string {
  return `data:text/javascript,${encodeURIComponent(text)}`
}
