// The lines of a transcript as they are read from a file; src/engine/notation.ts writes them.

import type { Event, Side, UpstreamFact } from '../../src/engine/contract.ts'
import type { Endpoint } from '../../src/ftp/endpoints.ts'
import { readManner } from './transcript-header.ts'

/** What a side says: CRLF is added unless the text ends in `\n` or in a lone `\`. */
export function readText(written: string): string {
  const isOpen = /(^|[^\\])(\\\\)*\\$/.test(written)
  const text = (isOpen ? written.slice(0, -1) : written).replace(/\\(x[0-9a-f]{2}|.)/g, unescaped)
  return isOpen || text.endsWith('\n') ? text : `${text}\r\n`
}

/** `'198.51.100.7:21'` or `'[2001:db8::7]:21'`. */
export function readEndpoint(written: string): Endpoint {
  const match = /^(?:\[(.+)\]|([^:]+)):(\d+)$/.exec(written)
  if (match === null) throw new Error(`"${written}" is no address:port or [address]:port`)
  return { address: match[1] ?? match[2] ?? '', port: Number(match[3]) }
}

/** Reads what happens outside the two control connections: a line that begins with `!`, see `eventForms`. */
export function readEvent(line: string): Event {
  for (const [form, make] of eventForms) {
    const match = form.exec(line)
    // The forms name the groups and allow only what the event's type has.
    if (match !== null) return make((match.groups ?? {}) as unknown as EventWords)
  }
  const forms = eventForms.map(([form]) => form.source).join('\n')
  throw new Error(`"${line}": neither said by a side (C>, S>) nor one of ${forms}`)
}

/** Named groups of the forms below; a form that matched has those that its event needs. */
interface EventWords {
  readonly n: string
  readonly at: string
  readonly facts: string | undefined
  readonly manner: string | undefined
  readonly kernel: string | undefined
  readonly side: Side
  readonly end: 'ended' | 'is gone'
  readonly timer: Extract<Event, { type: 'timerFired' }>['timer']
  readonly name: string | undefined
  readonly pinholeFailure: Extract<Event, { type: 'pinholeFailed' }>['reason']
  readonly legFailure: Extract<Event, { type: 'legFailed' }>['reason']
  readonly upstreamFailure: Extract<Event, { type: 'upstreamFailed' }>['reason']
}

const eventForms: readonly [RegExp, (words: EventWords) => Event][] = [
  [
    /^! upstream connected (?<at>\S+?)(?: knows(?<facts>(?: (?:refusesEpsv|refusesEprt|speaksTls))+))?(?: manner (?<manner>.+))?$/,
    ({ at, facts = '', manner }) => ({
      type: 'upstreamConnected',
      server: readEndpoint(at),
      // The form allows no other words.
      knows: facts.split(' ').filter((fact) => fact !== '') as UpstreamFact[],
      manner: manner === undefined ? null : readManner(manner.split(' ')),
    }),
  ],
  [
    /^! upstream failed (?<upstreamFailure>refused|timeout|unreachable|resolve|self|no_destination|tls_refused|tls_failed|tls_certificate|forbidden)$/,
    ({ upstreamFailure }) => ({ type: 'upstreamFailed', reason: upstreamFailure }),
  ],
  [
    /^! (?<side>client|server) (?<end>ended|is gone)$/,
    ({ side, end }) => ({ type: 'ended', side, isGone: end === 'is gone' }),
  ],
  [/^! client arrived$/, () => ({ type: 'clientArrived' })],
  [
    /^! client secured(?: for (?<name>\S+))?$/,
    ({ name }) => ({ type: 'clientSecured', serverName: name ?? null }),
  ],
  [/^! server secured$/, () => ({ type: 'serverSecured', isSecure: true })],
  [/^! server stays clear$/, () => ({ type: 'serverSecured', isSecure: false })],
  [
    /^! timer (?<timer>greeting|login|idle|reply|transfer|quiet|keepAlive|abort|doubt|hold)$/,
    ({ timer }) => ({ type: 'timerFired', timer }),
  ],
  [/^! drain$/, () => ({ type: 'drainRequested' })],
  [
    /^! pinhole (?<n>\d+) opened (?<at>\S+)(?<kernel> in kernel)?$/,
    ({ n, at, kernel }) => ({
      type: 'pinholeOpened',
      pinhole: Number(n),
      announce: readEndpoint(at),
      inKernel: kernel !== undefined,
    }),
  ],
  [
    /^! pinhole (?<n>\d+) failed (?<pinholeFailure>exhausted|share|backend)$/,
    ({ n, pinholeFailure }) => ({ type: 'pinholeFailed', pinhole: Number(n), reason: pinholeFailure }),
  ],
  [/^! pinhole (?<n>\d+) expired$/, ({ n }) => ({ type: 'pinholeExpired', pinhole: Number(n) })],
  [
    /^! channel (?<n>\d+) (?<side>client|server) connected$/,
    ({ n, side }) => ({ type: 'legConnected', channel: Number(n), side }),
  ],
  [
    /^! channel (?<n>\d+) (?<side>client|server) failed (?<legFailure>refused|timeout|unreachable|reset|tls|not_resumed|truncated)$/,
    ({ n, side, legFailure }) => ({ type: 'legFailed', channel: Number(n), side, reason: legFailure }),
  ],
  [/^! channel (?<n>\d+) delivered$/, ({ n }) => ({ type: 'delivered', channel: Number(n) })],
  [/^! channel (?<n>\d+) ended$/, ({ n }) => ({ type: 'channelEnded', channel: Number(n) })],
]

function unescaped(_: string, code: string): string {
  if (code.length === 3) return String.fromCharCode(Number.parseInt(code.slice(1), 16))
  if (code === 'r') return '\r'
  return code === 'n' ? '\n' : code
}
