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
  /** In sessions that RFC 6384 speaks of: whether EPSV and EPRT are to be translated. Null in all others. */
  readonly isTranslating: boolean | null
}

/**
 * PASV and EPSV, in the order in which the server is asked.
 *
 * Old verbs are asked with old ones where the server's address allows it, so that old servers get what they know.
 */
export function passiveVerbs({ verb, server, knows, isTranslating }: VerbChoice): readonly PassiveVerb[] {
  if (familyOf(server) === IPV6) return epsv
  if (isTranslating === false && verb === 'EPSV') return epsv
  if (knows.includes('refusesEpsv')) return pasv
  return isTranslating === true || isOld(verb) ? pasvEpsv : epsvPasv
}

/** PORT and EPRT, in the order in which the server is told. */
export function activeVerbs({ verb, server, knows, isTranslating }: VerbChoice): readonly ActiveVerb[] {
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

function isOld(verb: DataVerb): boolean {
  return verb === 'PASV' || verb === 'PORT'
}
