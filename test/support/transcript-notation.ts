// The lines of a transcript: what is read from a file, and what is written in the same words.

import type { AuditRecord, Effect, Event, Side } from '../../src/engine/contract.ts'
import { assertNever } from '../../src/errors.ts'
import type { Endpoint } from '../../src/ftp/endpoints.ts'

/** Records that a header can ask for, beyond refusals and protocol errors, which are always shown. */
export const shownRecords = ['commands', 'replies', 'rewrites', 'conversions', 'logins', 'transfers'] as const
export type Shown = (typeof shownRecords)[number]

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
  readonly kernel: string | undefined
  readonly side: Side
  readonly end: 'ended' | 'is gone'
  readonly timer: Extract<Event, { type: 'timerFired' }>['timer']
  readonly pinholeFailure: Extract<Event, { type: 'pinholeFailed' }>['reason']
  readonly legFailure: Extract<Event, { type: 'legFailed' }>['reason']
  readonly upstreamFailure: Extract<Event, { type: 'upstreamFailed' }>['reason']
}

const eventForms: readonly [RegExp, (words: EventWords) => Event][] = [
  [
    /^! upstream connected (?<at>\S+)$/,
    ({ at }) => ({ type: 'upstreamConnected', server: readEndpoint(at), knows: [] }),
  ],
  [
    /^! upstream failed (?<upstreamFailure>refused|timeout|unreachable|resolve|self|no_destination)$/,
    ({ upstreamFailure }) => ({ type: 'upstreamFailed', reason: upstreamFailure }),
  ],
  [
    /^! (?<side>client|server) (?<end>ended|is gone)$/,
    ({ side, end }) => ({ type: 'ended', side, isGone: end === 'is gone' }),
  ],
  [/^! client arrived$/, () => ({ type: 'clientArrived' })],
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

/** Effects as lines without indentation. What is sent to one side in one go is cut into its lines. */
export function renderEffects(effects: readonly Effect[], shown: ReadonlySet<Shown>): string[] {
  const lines: string[] = []
  let sent = { side: 'client' as Side, text: '' }
  const flush = () => {
    if (sent.text !== '') lines.push(...renderSent(sent))
    sent = { ...sent, text: '' }
  }
  for (const effect of effects) {
    if (effect.type === 'send') {
      if (effect.side !== sent.side) flush()
      sent = { side: effect.side, text: sent.text + effect.text }
      continue
    }
    const line = effect.type === 'record' ? renderRecord(effect.record, shown) : renderEffect(effect)
    if (line === null) continue
    flush()
    lines.push(line)
  }
  flush()
  return lines
}

function renderSent({ side, text }: { side: Side; text: string }): string[] {
  const arrow = side === 'client' ? 'C<' : 'S<'
  const lines = text.split(/(?<=\n)/)
  return lines.map((line) => {
    if (line === '\r\n') return arrow
    if (line.endsWith('\r\n')) return `${arrow} ${escaped(line.slice(0, -2))}`
    return `${arrow} ${escaped(line)}${line.endsWith('\n') ? '' : '\\'}`
  })
}

/** Null for what a transcript does not show. */
function renderEffect(effect: Exclude<Effect, { type: 'send' | 'record' }>): string | null {
  switch (effect.type) {
    case 'openPinhole': {
      const { pinhole, channel, from, target, isPrivate } = effect.request
      const to = target === null ? '' : ` to ${formatEndpoint(target)}`
      return `pinhole ${pinhole} from ${from}${to}${pinhole === channel ? '' : ` for channel ${channel}`}${isPrivate === true ? ' with TLS' : ''}`
    }
    case 'closePinhole':
      return `close pinhole ${effect.pinhole} ${effect.reason}`
    case 'connectLeg':
      return `connect channel ${effect.channel} ${effect.side} ${formatEndpoint(effect.endpoint)}${effect.isPrivate === true ? ' with TLS' : ''}`
    case 'beginTransfer':
      // What it moves follows from the verb that was sent.
      return null
    case 'awaitDelivery':
      return `await ${effect.direction} of channel ${effect.channel}`
    case 'connectUpstream':
      return 'connect upstream'
    case 'closeChannel':
      return `close channel ${effect.channel} ${effect.how}`
    case 'pauseReading':
      return `pause ${effect.side}`
    case 'resumeReading':
      return `resume ${effect.side}`
    case 'setTimer':
      return `timer ${effect.timer}`
    case 'clearTimer':
      return `clear timer ${effect.timer}`
    case 'loginChanged':
      return effect.loggedIn ? 'logged in' : 'logged out'
    case 'passThrough':
      return 'pass through'
    case 'secure':
      return `secure ${effect.side}`
    case 'freshTicket':
      return 'fresh ticket'
    case 'remember':
      return `remember ${effect.fact}`
    case 'close':
      return `close ${effect.reason}`
    default:
      return assertNever(effect)
  }
}

/** Null for a record that the header does not ask for. */
function renderRecord(record: AuditRecord, shown: ReadonlySet<Shown>): string | null {
  switch (record.type) {
    case 'command':
      return shown.has('commands') ? `command ${record.verb}: ${escaped(record.line)}` : null
    case 'reply':
      return shown.has('replies') ? `reply ${record.code}: ${escaped(record.line)}` : null
    case 'login': {
      const verdict = record.accepted ? 'accepted' : 'refused'
      return shown.has('logins') ? `login of ${escaped(record.user)} ${verdict} ${record.code}` : null
    }
    case 'rewrite': {
      const from = record.from === null ? 'nothing' : formatEndpoint(record.from)
      return shown.has('rewrites') ? `rewrite ${record.kind} ${from} to ${formatEndpoint(record.to)}` : null
    }
    case 'conversion':
      return shown.has('conversions') ? `convert ${record.from} to ${record.to}` : null
    case 'refusal': {
      const detail = record.detail === '' ? '' : `: ${escaped(record.detail)}`
      return `refuse ${record.verb} ${record.reason} ${record.code}${detail}`
    }
    case 'protocolError':
      return `error ${record.side} ${record.reason}: ${escaped(record.detail)}`
    case 'transfer': {
      const over = record.channel === null ? 'no channel' : `channel ${record.channel}`
      const what = record.path === '' ? record.verb : `${record.verb} ${escaped(record.path)}`
      return shown.has('transfers') ? `transfer ${what} ended ${record.code} over ${over}` : null
    }
    default:
      return assertNever(record)
  }
}

function formatEndpoint({ address, port }: Endpoint): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}

function unescaped(_: string, code: string): string {
  if (code.length === 3) return String.fromCharCode(Number.parseInt(code.slice(1), 16))
  if (code === 'r') return '\r'
  return code === 'n' ? '\n' : code
}

function escaped(text: string): string {
  return text.replace(/[\\\x00-\x1f\x7f-\xff]/g, (character) => {
    if (character === '\r') return '\\r'
    if (character === '\n') return '\\n'
    if (character === '\\') return '\\\\'
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`
  })
}
