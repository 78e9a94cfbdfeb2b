// Whether what brings connections to the listeners is loaded, as the running process and doctor ask it.

import type { Config } from '../config/config.ts'
import { foreignFamilies, interceptTable, markOf } from './intercept-table.ts'
import { hexMark } from './mark.ts'
import { readPolicyRoute } from './policy-route.ts'
import { hasForeignSockets, interceptTableOf } from './table-names.ts'

/**
 * What is missing of the table, or null. `table` is the kernel's own listing of it, null when it is not loaded.
 *
 * `nft flush chain inet ftp_alg_intercept by_redirect` leaves a table that catches nothing.
 */
export function missingOfTable(config: Config, table: string | null): string | null {
  if (interceptTable(config) === null) return null
  const intercepting = config.listeners.filter(({ intercept }) => intercept !== 'none')
  const name = interceptTableOf(config)
  if (table === null) return `table ${name} is not loaded`
  const lines = table.split('\n')
  const isCaught = (port: number) =>
    lines.some((line) => /\b(redirect|dnat|tproxy)\b/.test(line) && new RegExp(`:${port}\\b`).test(line))
  const lost = intercepting.find(({ listen }) => !isCaught(listen.port))
  if (lost !== undefined)
    return `table ${name} has no rule for listener ${lost.name} (port ${lost.listen.port})`
  const keepsOwn = lines.some((line) => line.includes('socket transparent 1'))
  const foreign = config.listeners.find(hasForeignSockets)
  return foreign === undefined || keepsOwn
    ? null
    : `table ${name} does not keep what is meant for our sockets (listener ${foreign.name})`
}

/**
 * What is missing of a family's route to sockets at other machines' addresses, or null.
 *
 * Errors: KERNEL_FEATURE_MISSING without iproute2, RUNTIME_FAILED with what `ip` said.
 */
export async function missingOfRoute(family: 4 | 6, mark: number): Promise<string | null> {
  const { marks, hasLocalDefault } = await readPolicyRoute(family)
  if (marks.includes(mark) && hasLocalDefault) return null
  return `${marks.includes(mark) ? 'the route' : `the rule for mark ${hexMark(mark)}`} is missing`
}

/** The same of all families that need it; a machine that cannot say is believed to have it. */
export async function missingOfRoutes(config: Config): Promise<string | null> {
  for (const family of foreignFamilies(config)) {
    const missing = await missingOfRoute(family, markOf(config)).catch(() => null)
    if (missing !== null) return `IPv${family}: ${missing}, so what is meant for our sockets goes astray`
  }
  return null
}
