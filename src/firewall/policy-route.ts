// The route to our sockets at other machines' addresses: marked packets are delivered here, whatever their
// destination.

import { ROUTE_TABLE } from './intercept-table.ts'
import { askIp, runIp } from './iproute.ts'
import { hexMark } from './mark.ts'

/** What one family has of our route. */
export interface PolicyRoute {
  /** Marks of the rules that lead to our table. */
  readonly marks: readonly number[]
  readonly hasLocalDefault: boolean
}

/** The commands for one family, as they are printed: `ip -4 rule add fwmark 0xf7 lookup 2121 priority 2121`. */
export function policyRouteCommands(family: 4 | 6, mark: number): readonly (readonly string[])[] {
  return [
    ['ip', `-${family}`, 'rule', 'add', ...ruleOf(mark)],
    ['ip', `-${family}`, 'route', 'replace', ...routeOf],
  ]
}

/** Errors: KERNEL_FEATURE_MISSING without iproute2, RUNTIME_FAILED with what `ip` said. */
export async function readPolicyRoute(family: 4 | 6): Promise<PolicyRoute> {
  const rules = await askIp([`-${family}`, '-json', 'rule', 'show'])
  const marks = rules.flatMap((rule) => (rule.table === String(ROUTE_TABLE) ? [Number(rule.fwmark)] : []))
  // A table without routes is an error to `ip`, not an empty list.
  const routes = await askIp([`-${family}`, '-json', 'route', 'show', 'table', 'all', 'type', 'local'])
  const hasLocalDefault = routes.some(
    ({ dst, dev, table }) =>
      table === String(ROUTE_TABLE) && (dst === 'default' || dst === '::/0') && dev === 'lo',
  )
  return { marks, hasLocalDefault }
}

export interface WantedRoute {
  readonly mark: number
  /** Another instance uses the route too, with a mark that may be another one. */
  readonly isShared: boolean
}

/**
 * Puts rule and route there if they are not; removes rules of ours with another mark, which may only be another
 * instance's. Says what it did.
 */
export async function applyPolicyRoute(
  family: 4 | 6,
  { mark, isShared }: WantedRoute,
): Promise<readonly string[]> {
  const { marks, hasLocalDefault } = await readPolicyRoute(family)
  const wanted: (readonly string[])[] = marks
    .filter((each) => each !== mark && !isShared)
    .map((each) => ruleCommand(family, 'del', each))
  if (!marks.includes(mark)) wanted.push(ruleCommand(family, 'add', mark))
  if (!hasLocalDefault) wanted.push([`-${family}`, 'route', 'replace', ...routeOf])
  return perform(wanted)
}

/** Takes away every rule that leads to our table, and the route in it. Says what it did. */
export async function removePolicyRoute(family: 4 | 6): Promise<readonly string[]> {
  const { marks, hasLocalDefault } = await readPolicyRoute(family)
  const wanted: (readonly string[])[] = marks.map((each) => ruleCommand(family, 'del', each))
  if (hasLocalDefault) wanted.push([`-${family}`, 'route', 'del', ...routeOf])
  return perform(wanted)
}

const routeOf = ['local', 'default', 'dev', 'lo', 'table', String(ROUTE_TABLE)]

function ruleOf(mark: number): readonly string[] {
  return ['fwmark', hexMark(mark), 'lookup', String(ROUTE_TABLE), 'priority', String(ROUTE_TABLE)]
}

function ruleCommand(family: 4 | 6, verb: 'add' | 'del', mark: number): readonly string[] {
  return [`-${family}`, 'rule', verb, ...ruleOf(mark)]
}

async function perform(commands: readonly (readonly string[])[]): Promise<readonly string[]> {
  for (const args of commands) await runIp(args)
  return commands.map((args) => `ip ${args.join(' ')}`)
}
