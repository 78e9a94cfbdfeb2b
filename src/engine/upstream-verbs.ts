// Which verbs a server is asked with, in order: the next one is tried when it does not know the last.

import { type Family, familyOf } from '../ftp/addresses.ts'
import type { UpstreamFact } from './contract.ts'
import type { ActiveVerb, DataVerb, PassiveVerb } from './data-request.ts'

export interface VerbChoice {
  /** What the client said. */
  readonly verb: DataVerb
  /** The server's control address, canonical. */
  readonly server: string
  readonly knows: readonly UpstreamFact[]
  /** Nothing is converted or translated: the server is asked with what the client said. */
  readonly isFaithful: boolean
  /** What the configuration says, or empty. */
  readonly configured: readonly DataVerb[]
  /** In sessions that RFC 6384 speaks of: whether EPSV and EPRT are to be translated. Null in all others. */
  readonly isTranslating: boolean | null
}

/**
 * PASV and EPSV, in the order in which the server is asked.
 *
 * Old verbs are asked with old ones where the server's address allows it, so that old servers get what they know.
 */
export function passiveVerbs(choice: VerbChoice): readonly PassiveVerb[] {
  const { verb, server, knows, isFaithful, isTranslating } = choice
  if (isFaithful && isPassive(verb)) return verb === 'EPSV' ? epsv : pasv
  const configured = choice.configured.filter(isPassive)
  if (configured.length > 0) return fitting(configured, server)
  if (familyOf(server) === IPV6) return epsv
  if (isTranslating === false && verb === 'EPSV') return epsv
  if (knows.includes('refusesEpsv')) return pasv
  return isTranslating === true || isOld(verb) ? pasvEpsv : epsvPasv
}

/** PORT and EPRT, in the order in which they are tried. */
export function activeVerbs(choice: VerbChoice): readonly ActiveVerb[] {
  const { verb, server, knows, isFaithful, isTranslating } = choice
  if (isFaithful && isActive(verb)) return verb === 'EPRT' ? eprt : port
  const configured = choice.configured.filter(isActive)
  if (configured.length > 0) return fitting(configured, server)
  if (familyOf(server) === IPV6) return eprt
  if (isTranslating === false && verb === 'EPRT') return eprt
  return isTranslating === true || isOld(verb) || knows.includes('refusesEprt') ? port : eprtPort
}

const IPV6: Family = 6

const pasv: readonly PassiveVerb[] = ['PASV']
const epsv: readonly PassiveVerb[] = ['EPSV']
const pasvEpsv: readonly PassiveVerb[] = ['PASV', 'EPSV']
const epsvPasv: readonly PassiveVerb[] = ['EPSV', 'PASV']
const port: readonly ActiveVerb[] = ['PORT']
const eprt: readonly ActiveVerb[] = ['EPRT']
const eprtPort: readonly ActiveVerb[] = ['EPRT', 'PORT']

function isPassive(verb: DataVerb): verb is PassiveVerb {
  return verb === 'PASV' || verb === 'EPSV'
}

function isActive(verb: DataVerb): verb is ActiveVerb {
  return !isPassive(verb)
}

/** PASV and PORT cannot carry IPv6. */
function fitting<Verb extends DataVerb>(verbs: readonly Verb[], server: string): readonly Verb[] {
  return familyOf(server) === IPV6 ? verbs.filter((verb) => !isOld(verb)) : verbs
}

function isOld(verb: DataVerb): boolean {
  return verb === 'PASV' || verb === 'PORT'
}
