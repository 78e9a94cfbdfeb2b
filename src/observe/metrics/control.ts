// What passes on the control channel, and what the proxy does to it.

import type { RefusalReason } from '../../engine/contract.ts'
import { verbs } from '../../ftp/commands.ts'
import { type Cell, counterFamily, type Families } from './family.ts'
import {
  codeClasses,
  forEachValue,
  protocolErrors,
  type RewriteFailure,
  refusalReasons,
  rewriteFailures,
  rewriteKinds,
  sides,
} from './labels.ts'

/** The series of one listener; every session of it counts on the same cells. */
export type ControlMetrics = ReturnType<ReturnType<typeof defineControlMetrics>>

/** The value of the `command` label for a verb in no RFC, and for a combination that is not listed below. */
export const OTHER = 'other'

const endpointVerbs = ['PORT', 'EPRT', 'PASV', 'EPSV']
const transferVerbs = ['RETR', 'STOR', 'STOU', 'APPE', 'LIST', 'NLST', 'MLSD']

/** The commands that a reason is counted with; any other verb counts as `other`, so that every series exists at 0. */
export const refusedCommands: Readonly<Record<RefusalReason, readonly string[]>> = {
  not_ftp: [],
  unknown_before_login: [],
  login_required: [...endpointVerbs, ...transferVerbs],
  line_too_long: [],
  control_characters: [],
  syntax: endpointVerbs,
  bounce: ['PORT', 'EPRT'],
  privileged_port: ['PORT', 'EPRT'],
  family: endpointVerbs,
  epsv_all: ['PORT', 'EPRT', 'PASV'],
  forbidden_verb: ['LPRT', 'LPSV', 'CPSV', 'SSCN', 'SPSV', 'ESTP'],
  auth: ['AUTH', 'CCC', 'PBSZ', 'PROT'],
  pasv_address: endpointVerbs,
  pasv_port: endpointVerbs,
  pasv_reply: endpointVerbs,
  upstream_refused: endpointVerbs,
  data_failed: transferVerbs,
  pinhole_expired: transferVerbs,
  pinhole_exhausted: endpointVerbs,
  pinhole_share: endpointVerbs,
  pinhole_backend: endpointVerbs,
  plaintext_after_auth: ['AUTH'],
  tls_required: ['USER', 'PASS'],
  prot_required: [...endpointVerbs, ...transferVerbs],
  prot_level: ['PBSZ', 'PROT'],
  auth_mechanism: ['AUTH'],
  auth_twice: ['AUTH'],
  auth_after_user: ['AUTH'],
  ccc: ['CCC'],
  rein: ['REIN'],
  upstream_prot: endpointVerbs,
  no_route: ['USER'],
  host_name: ['HOST', 'USER'],
  destination: ['USER', 'OPEN', 'SITE'],
  draining: [...endpointVerbs, ...transferVerbs],
}

/** The kind of endpoint that a client's command is about: refusing it is a rewrite that failed. */
export const kindOfVerb = {
  PORT: 'port',
  EPRT: 'eprt',
  PASV: 'pasv_227',
  EPSV: 'epsv_229',
} as const

/** Which refusals mean that an endpoint was not rewritten, and why. */
export const rewriteFailureOf: Readonly<Partial<Record<RefusalReason, RewriteFailure>>> = {
  syntax: 'parse',
  pasv_reply: 'parse',
  bounce: 'bounce',
  pasv_address: 'bounce',
  privileged_port: 'port',
  pasv_port: 'port',
  family: 'family',
  pinhole_exhausted: 'pool',
  pinhole_share: 'pool',
  pinhole_backend: 'backend',
}

export function defineControlMetrics(families: Families) {
  const bytes = counterFamily(families, {
    name: 'ftp_alg_control_bytes_total',
    help: 'Bytes read on control connections.',
    labels: ['listener', 'direction'],
  })
  const commands = counterFamily(families, {
    name: 'ftp_alg_commands_total',
    help: 'Commands read from clients.',
    labels: ['listener', 'command'],
  })
  const replies = counterFamily(families, {
    name: 'ftp_alg_replies_total',
    help: 'Replies read from servers, by the first digit of their code.',
    labels: ['listener', 'code_class'],
  })
  const denied = counterFamily(families, {
    name: 'ftp_alg_commands_denied_total',
    help: 'Commands that the proxy answered with an error of its own.',
    labels: ['listener', 'command', 'reason'],
  })
  const errors = counterFamily(families, {
    name: 'ftp_alg_protocol_errors_total',
    help: 'What a peer did that no standard allows, beyond the commands that were denied.',
    labels: ['listener', 'side', 'reason'],
  })
  const rewrites = counterFamily(families, {
    name: 'ftp_alg_rewrites_total',
    help: 'Endpoints rewritten on the control channel.',
    labels: ['listener', 'kind'],
  })
  const failures = counterFamily(families, {
    name: 'ftp_alg_rewrite_failures_total',
    help: 'Endpoints that were not rewritten because the command was denied; kind is what the client asked for.',
    labels: ['listener', 'kind', 'reason'],
  })
  const conversions = counterFamily(families, {
    name: 'ftp_alg_mode_conversions_total',
    help: 'Data channels whose mode towards the server is not the mode of the client.',
    labels: ['listener', 'from', 'to'],
  })
  return (listener: string) => ({
    bytesFrom: {
      client: bytes({ listener, direction: 'client_to_server' }),
      server: bytes({ listener, direction: 'server_to_client' }),
    },
    commands: cellsByCommand([...verbs.keys()], (command) => commands({ listener, command })),
    replies: forEachValue(codeClasses, (code_class) => replies({ listener, code_class })),
    denied: forEachValue(refusalReasons, (reason) =>
      cellsByCommand(refusedCommands[reason], (command) => denied({ listener, command, reason })),
    ),
    errors: forEachValue(sides, (side) =>
      forEachValue(protocolErrors, (reason) => errors({ listener, side, reason })),
    ),
    rewrites: forEachValue(rewriteKinds, (kind) => rewrites({ listener, kind })),
    rewriteFailures: forEachValue(rewriteKinds, (kind) =>
      forEachValue(rewriteFailures, (reason) => failures({ listener, kind, reason })),
    ),
    conversionsFrom: {
      active: conversions({ listener, from: 'active', to: 'passive' }),
      passive: conversions({ listener, from: 'passive', to: 'active' }),
    },
  })
}

/** `550` gives `5xx`; `42` and `900` give `invalid`. */
export function classOfCode(code: number): keyof typeof codeClasses {
  switch (Math.floor(code / 100)) {
    case 1:
      return '1xx'
    case 2:
      return '2xx'
    case 3:
      return '3xx'
    case 4:
      return '4xx'
    case 5:
      return '5xx'
    case 6:
      return '6xx'
    default:
      return 'invalid'
  }
}

/** The cells of a family by verb. Verbs are trusted for nothing: they are only looked up. */
export interface CellsByCommand {
  /** The cell of a listed verb; all others share one. */
  of(verb: string): Cell
  /** All of them together. */
  total(): number
}

export function cellsByCommand(listed: readonly string[], make: (command: string) => Cell): CellsByCommand {
  const cells = new Map(listed.map((verb) => [verb, make(verb)]))
  const other = make(OTHER)
  return {
    of: (verb) => cells.get(verb) ?? other,
    total: () => [...cells.values()].reduce((total, cell) => total + cell.value, other.value),
  }
}
