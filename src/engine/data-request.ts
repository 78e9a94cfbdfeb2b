// What PASV, EPSV, PORT and EPRT ask for, judged before anything is opened. Pure: a command in, a verdict out.

import { familyOf } from '../ftp/addresses.ts'
import type { Command } from '../ftp/commands.ts'
import { type Endpoint, parseEprt, parseHostPort } from '../ftp/endpoints.ts'
import type { RefusalReason } from './contract.ts'
import { judgeClientEndpoint, type Policy, protocolNumber } from './policy.ts'

export type PassiveVerb = 'PASV' | 'EPSV'
export type ActiveVerb = 'PORT' | 'EPRT'
export type DataVerb = PassiveVerb | ActiveVerb

export type DataRequest =
  | { readonly type: 'passive'; readonly verb: PassiveVerb }
  | {
      readonly type: 'active'
      readonly verb: ActiveVerb
      /** Where the client listens, as policy allows it. */
      readonly endpoint: Endpoint
      /** What separated the fields of EPRT; `|` for PORT. */
      readonly delimiter: string
    }
  | { readonly type: 'epsvAll' }
  | { readonly type: 'refused'; readonly reason: RefusalReason; readonly text: string }

export interface DataRequestContext {
  /** The client's control address, canonical. */
  readonly client: string
  readonly policy: Policy
  readonly isOwnAddress: (address: string) => boolean
  /** EPSV ALL was said: nothing but EPSV is allowed any more (RFC 2428 §4). */
  readonly isEpsvAll: boolean
}

/** Reads one of the four data channel commands. */
export function readDataRequest(command: Command, context: DataRequestContext): DataRequest {
  switch (command.verb) {
    case 'PASV':
      return readPasv(context)
    case 'EPSV':
      return readEpsv(command, context)
    case 'PORT':
      return readPort(command, context)
    default:
      return readEprt(command, context)
  }
}

function readPasv({ client, isEpsvAll }: DataRequestContext): DataRequest {
  if (isEpsvAll) return refused('epsv_all', '503 Only EPSV is allowed after EPSV ALL.')
  if (familyOf(client) === 6) return refused('family', '425 PASV cannot carry IPv6, use EPSV.')
  return { type: 'passive', verb: 'PASV' }
}

function readEpsv(command: Command, { client }: DataRequestContext): DataRequest {
  const argument = command.argument.trim().toUpperCase()
  if (argument === 'ALL') return { type: 'epsvAll' }
  if (argument !== '' && !/^\d{1,3}$/.test(argument)) {
    return refused('syntax', '501 EPSV takes nothing, a network protocol or ALL.')
  }
  if (argument !== '' && argument !== protocolNumber(client)) return otherFamily(client)
  return { type: 'passive', verb: 'EPSV' }
}

function readPort(command: Command, context: DataRequestContext): DataRequest {
  const { client, isEpsvAll } = context
  if (isEpsvAll) return refused('epsv_all', '501 Only EPSV is allowed after EPSV ALL.')
  if (familyOf(client) === 6) return refused('family', '501 PORT cannot carry IPv6, use EPRT.')
  const named = parseHostPort(command.argument)
  if (named === null) return refused('syntax', '501 PORT does not name an address and a port.')
  return judged({ named, verb: 'PORT', delimiter: '|' }, context)
}

function readEprt(command: Command, context: DataRequestContext): DataRequest {
  const { client, isEpsvAll } = context
  if (isEpsvAll) return refused('epsv_all', '501 Only EPSV is allowed after EPSV ALL.')
  const parsed = parseEprt(command.argument)
  if (!parsed.ok) {
    if (parsed.reason === 'family') return otherFamily(client)
    return refused('syntax', '501 EPRT does not name an address and a port.')
  }
  const { endpoint: named, delimiter } = parsed
  if (familyOf(named.address) !== familyOf(client)) return otherFamily(client)
  return judged({ named, verb: 'EPRT', delimiter }, context)
}

function judged(
  {
    named,
    verb,
    delimiter,
  }: { readonly named: Endpoint; readonly verb: ActiveVerb; readonly delimiter: string },
  { client, policy, isOwnAddress }: DataRequestContext,
): DataRequest {
  const verdict = judgeClientEndpoint({ named, client, policy, isOwnAddress })
  if (!verdict.ok) return refused(verdict.reason, verdict.text)
  return { type: 'active', verb, endpoint: verdict.endpoint, delimiter }
}

/** The text of a 522 lists the protocols that work (RFC 2428 §2). */
function otherFamily(client: string): DataRequest {
  return refused('family', `522 Network protocol not supported, use (${protocolNumber(client)})`)
}

function refused(reason: RefusalReason, text: string): DataRequest {
  return { type: 'refused', reason, text }
}
