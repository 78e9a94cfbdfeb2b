import type { Account } from '../lab/accounting.ts'
import type { Child, ChildOptions } from '../lab/child.ts'
import { startChild } from '../lab/child.ts'
import type { Place } from '../lab/place.ts'
import type { Target } from '../load/jobs.ts'
import type { Endpoint } from '../wire/wire.ts'

/** The questions that can be put to a system; see measures/. */
export type MeasureName =
  | 'sessions'
  | 'bulk'
  | 'parallel'
  | 'roundTrip'
  | 'pinhole'
  | 'idle'
  | 'growth'
  | 'handshakes'

/** Where a system speaks TLS, on control and data connections alike: towards clients, towards the server, or both. */
export type TlsSide = 'front' | 'back' | 'both'

/** One thing to be measured: ftp-alg in some configuration, a peer, the kernel. */
export interface System {
  /** What users type: `squid`. */
  readonly id: string
  /** What the report says: `Squid ftp_port`. */
  readonly title: string
  readonly role: 'ftp-alg' | 'peer' | 'ground'
  readonly needsNamespace: boolean
  /** The bytes of a transfer never enter a process. */
  readonly forwardsInKernel: boolean
  /** Node: dear at first, and cheaper with every thousand sessions. */
  readonly compilesAtRunTime: boolean
  readonly suits: ReadonlySet<MeasureName>
  /** Absent: no TLS. */
  readonly tls?: TlsSide
  /** Sessions beyond this number are refused by design, or take memory that the machine does not have. */
  readonly maxIdleSessions: number
  /** Finds, fetches or builds what is needed; called once. */
  prepare(): Promise<Readiness>
}

export type Readiness =
  | {
      readonly ok: true
      readonly version: string
      readonly start: (place: Place, account: Account) => Promise<Started>
    }
  | { readonly ok: false; readonly reason: string }

export interface Started {
  readonly target: Target
  /** Null when the work is done in the kernel. */
  readonly child: Child | null
}

export const everyMeasure: ReadonlySet<MeasureName> = new Set([
  'sessions',
  'bulk',
  'parallel',
  'roundTrip',
  'pinhole',
  'idle',
])

/** Of systems that know FTP. */
export const everyTlsMeasure: ReadonlySet<MeasureName> = new Set(['sessions', 'bulk', 'idle', 'handshakes'])

/** With TLS towards clients they begin it with their first byte. */
export function targetOf({ listen }: Place, tls: TlsSide | undefined): Target {
  return { at: listen, user: 'anonymous', isTls: tls === 'front' || tls === 'both' }
}

/** The server as a system that knows FTP sees it. */
export function upstreamOf(place: Place, tls: TlsSide | undefined): Endpoint {
  return tls === 'back' || tls === 'both' ? place.upstreamTls : place.upstream
}

/** The same for one that forwards bytes. */
export function upstreamForRelaysOf(place: Place, tls: TlsSide | undefined): Endpoint {
  return tls === 'back' || tls === 'both' ? place.upstreamTlsForRelays : place.upstreamForRelays
}

/** Starts a program in a place, with its log in `<id>.log` there. */
export function startIn(
  place: Place,
  account: Account,
  what: Pick<ChildOptions, 'program' | 'args' | 'environment'> & { readonly name: string },
): Child {
  return startChild({
    program: what.program,
    args: what.args,
    ...(what.environment === undefined ? {} : { environment: what.environment }),
    namespace: place.namespace,
    account,
    workingDirectory: place.directory,
    logFile: `${place.directory}/${what.name}.log`,
    stdout: 'log',
  })
}
