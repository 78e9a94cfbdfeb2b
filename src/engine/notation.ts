// Events and effects in words, one a line: what a transcript is made of, in test/fixtures/transcripts and in a trace of
// `ftp-alg run --record`. test/support/transcript.ts explains the notation and reads it.

import { assertNever } from '../errors.ts'
import type { Endpoint } from '../ftp/endpoints.ts'
import type { AuditRecord, Effect, Event, Side, UpstreamChoice } from './contract.ts'
import type { ServerTlsPolicy, UpstreamManner } from './manner.ts'

/** Records that a header can ask for, beyond refusals and protocol errors, which are always shown. */
export const shownRecords = ['commands', 'replies', 'rewrites', 'conversions', 'logins', 'transfers'] as const
export type Shown = (typeof shownRecords)[number]

/** An event as lines: what a side says is cut into its lines, everything else is one line that begins with `!`. */
export function renderEvent(event: Event): string[] {
  switch (event.type) {
    case 'received':
      return renderSaid(event.side === 'client' ? 'C>' : 'S>', event.text)
    case 'clientArrived':
      return ['! client arrived']
    case 'clientSecured':
      return [`! client secured${event.serverName === null ? '' : ` for ${event.serverName}`}`]
    case 'ended':
      return [`! ${event.side} ${event.isGone ? 'is gone' : 'ended'}`]
    case 'upstreamConnected': {
      const known = event.knows.length === 0 ? '' : ` knows ${event.knows.join(' ')}`
      return [`! upstream connected ${formatEndpoint(event.server)}${known}${mannerWords(event.manner)}`]
    }
    case 'upstreamFailed':
      return [`! upstream failed ${event.reason}`]
    case 'serverSecured':
      return [event.isSecure ? '! server secured' : '! server stays clear']
    case 'pinholeOpened':
      return [
        `! pinhole ${event.pinhole} opened ${formatEndpoint(event.announce)}${event.inKernel ? ' in kernel' : ''}`,
      ]
    case 'pinholeFailed':
      return [`! pinhole ${event.pinhole} failed ${event.reason}`]
    case 'pinholeExpired':
      return [`! pinhole ${event.pinhole} expired`]
    case 'legConnected':
      return [`! channel ${event.channel} ${event.side} connected`]
    case 'legFailed':
      return [`! channel ${event.channel} ${event.side} failed ${event.reason}`]
    case 'channelEnded':
      return [`! channel ${event.channel} ended`]
    case 'delivered':
      return [`! channel ${event.channel} delivered`]
    case 'timerFired':
      return [`! timer ${event.timer}`]
    case 'drainRequested':
      return ['! drain']
    default:
      return assertNever(event)
  }
}

/** `' manner mode=passive verbs=EPSV,PASV server=required serverData=as-client'`, where the server has one of its own. */
function mannerWords(manner: UpstreamManner | null): string {
  if (manner === null) return ''
  const { upstreamMode, upstreamVerbs, tls } = manner
  const verbs = upstreamVerbs.length === 0 ? '' : ` verbs=${upstreamVerbs.join(',')}`
  const secure =
    tls === null ? ' server=off' : ` server=${serverTlsWord(tls)} serverData=${tls.dataProtection}`
  return ` manner mode=${upstreamMode}${verbs}${secure}`
}

/** As `upstreamTls.mode`; `optional` and `required` are the same to the engine. */
export function serverTlsWord({ followsClient, isImplicit }: ServerTlsPolicy): string {
  if (followsClient) return 'as-client'
  return isImplicit ? 'implicit' : 'required'
}

/** Effects as lines without indentation. What is sent to one side in one go is cut into its lines. */
export function renderEffects(effects: readonly Effect[], shown: ReadonlySet<Shown>): string[] {
  const lines: string[] = []
  let sent = { side: 'client' as Side, text: '' }
  const flush = () => {
    if (sent.text !== '') lines.push(...renderSaid(sent.side === 'client' ? 'C<' : 'S<', sent.text))
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

function renderSaid(arrow: string, text: string): string[] {
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
      return `pinhole ${pinhole} from ${from}${to}${pinhole === channel ? '' : ` for channel ${channel}`}${isPrivate ? ' with TLS' : ''}`
    }
    case 'closePinhole':
      return `close pinhole ${effect.pinhole} ${effect.reason}`
    case 'connectLeg':
      return `connect channel ${effect.channel} ${effect.side} ${formatEndpoint(effect.endpoint)}${effect.isPrivate ? ' with TLS' : ''}`
    case 'beginTransfer':
      // What it moves follows from the verb that was sent.
      return null
    case 'awaitDelivery':
      return `await ${effect.direction} of channel ${effect.channel}`
    case 'connectUpstream':
      return `connect upstream${effect.to === undefined ? '' : ` ${formatChoice(effect.to)}`}`
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
    case 'clear':
      return 'clear client'
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
    case 'passedThrough':
      return `passed through ${record.kind}`
    case 'transfer': {
      const over = record.channel === null ? 'no channel' : `channel ${record.channel}`
      const what = record.path === '' ? record.verb : `${record.verb} ${escaped(record.path)}`
      return shown.has('transfers') ? `transfer ${what} ended ${record.code} over ${over}` : null
    }
    default:
      return assertNever(record)
  }
}

/** `'partners'`, or `'ftp.example.net:21'`. */
function formatChoice(to: UpstreamChoice): string {
  return 'route' in to ? to.route : formatEndpoint({ address: to.host, port: to.port })
}

function formatEndpoint({ address, port }: Endpoint): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}

function escaped(text: string): string {
  return text.replace(/[\\\x00-\x1f\x7f-\xff]/g, (character) => {
    if (character === '\r') return '\\r'
    if (character === '\n') return '\\n'
    if (character === '\\') return '\\\\'
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`
  })
}
