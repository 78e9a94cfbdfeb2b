// `upstreamVerbs` beside `upstreamMode`: one verb at least has to be of use.

import { complaint, type RuleBreach } from './complaint.ts'
import type { UpstreamMode, UpstreamVerb } from './config.ts'
import type { ListenerSection } from './listener-schema.ts'

type Path = RuleBreach['path']

export function verbBreaches(listener: ListenerSection, path: Path): RuleBreach[] {
  return uselessVerbs(listener, [...path, 'upstreamVerbs'])
}

/** `path` is the key that is to blame; `whose` says where the other one stands. */
export function uselessVerbs(
  {
    upstreamMode,
    upstreamVerbs,
  }: { readonly upstreamMode: UpstreamMode; readonly upstreamVerbs: readonly UpstreamVerb[] },
  path: Path,
  whose = '',
): RuleBreach[] {
  const usable = usableVerbs[upstreamMode]
  if (upstreamVerbs.length === 0 || upstreamVerbs.some((verb) => usable.includes(verb))) return []
  const isOfMode = path.at(-1) === 'upstreamMode'
  return [
    {
      path,
      text: isOfMode
        ? complaint(`has no verb among upstreamVerbs${whose}, which are ${upstreamVerbs.join(', ')}`, {
            given: upstreamMode,
            allowed: `a mode with one of these, or upstreamVerbs with ${usable.join(' or ')}`,
          })
        : complaint(`has none for upstreamMode ${upstreamMode}${whose}`, {
            given: upstreamVerbs,
            allowed: `${usable.join(' or ')} among them`,
          }),
    },
  ]
}

const usableVerbs: Readonly<Record<UpstreamMode, readonly UpstreamVerb[]>> = {
  client: ['PASV', 'EPSV', 'PORT', 'EPRT'],
  passive: ['PASV', 'EPSV'],
  active: ['PORT', 'EPRT'],
}
