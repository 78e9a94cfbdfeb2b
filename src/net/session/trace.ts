// A session as a transcript: what its engine was told and what it wanted done, in the notation of test/fixtures/transcripts,
// so that a recorded session is a test. Secrets are masked.

import type { Effect, Event } from '../../engine/contract.ts'
import { ControlEngine } from '../../engine/control.ts'
import { renderEffects, renderEvent, serverTlsWord } from '../../engine/notation.ts'
import type { EngineOptions } from '../../engine/options.ts'
import { maskedLines, SecretsHeard } from './trace-mask.ts'

/** Where a session's transcript goes, line by line; null for a session that is not traced. */
export type OpenTrace = (sessionId: string) => ((lines: readonly string[]) => void) | null

/** A transcript longer than this is cut off. */
const MAX_CHARACTERS = 256 * 1024

/** An engine that writes down what it does. */
export class TracedEngine extends ControlEngine {
  readonly #write: (lines: readonly string[]) => void
  readonly #secrets = new SecretsHeard()
  /** What a client has sent of a line that is not over, and what of it was written out: it may be half a password. */
  #half = ''
  #toldOfHalf = ''
  #left = MAX_CHARACTERS

  constructor(
    options: EngineOptions,
    trace: { readonly sessionId: string; readonly write: (lines: readonly string[]) => void },
  ) {
    super(options)
    this.#write = trace.write
    this.#say([`# Session ${trace.sessionId}, recorded.`, ...headerOf(options), ''])
  }

  override handle(event: Event): Effect[] {
    const effects = super.handle(event)
    this.#say([...this.#heard(event, effects.length > 0), ...this.#wanted(effects)])
    return effects
  }

  /** Half a line of the client is written with its other half, unless something happens before that comes. */
  #heard(event: Event, hasEffects: boolean): string[] {
    if (event.type === 'received' && event.side === 'client') {
      const heard = this.#half + event.text
      const end = heard.lastIndexOf('\n') + 1
      const whole = heard.slice(0, end)
      const lines = this.#client(whole)
      this.#half = heard.slice(end)
      return hasEffects ? [...lines, ...this.#tellHalf()] : lines
    }
    const before = this.#tellHalf()
    if (event.type !== 'received') return [...before, ...renderEvent(event)]
    return [...before, ...renderEvent({ ...event, text: this.#secrets.masked(event.text) })]
  }

  /** Whole lines, without what was written of the first. */
  #client(lines: string): string[] {
    if (lines === '') return []
    this.#secrets.hear(lines)
    const masked = maskedLines(lines)
    const isGoingOn = masked.startsWith(this.#toldOfHalf)
    const text = isGoingOn
      ? masked.slice(this.#toldOfHalf.length)
      : `***${masked.slice(masked.indexOf('\r'))}`
    this.#toldOfHalf = ''
    return renderEvent({ type: 'received', side: 'client', text })
  }

  #tellHalf(): string[] {
    const masked = maskedLines(this.#half)
    const text = masked.startsWith(this.#toldOfHalf) ? masked.slice(this.#toldOfHalf.length) : ''
    if (text === '') return []
    this.#toldOfHalf += text
    return renderEvent({ type: 'received', side: 'client', text })
  }

  #wanted(effects: readonly Effect[]): string[] {
    const masked = effects.map((effect): Effect => {
      if (effect.type !== 'send') return effect
      const text = effect.side === 'server' ? maskedLines(effect.text) : this.#secrets.masked(effect.text)
      return { ...effect, text }
    })
    return renderEffects(masked, new Set()).map((line) => `   ${line}`)
  }

  #say(lines: readonly string[]): void {
    if (this.#left < 0 || lines.length === 0) return
    this.#left -= lines.reduce((total, line) => total + line.length + 1, 0)
    this.#write(this.#left < 0 ? [`# Cut off here, at ${MAX_CHARACTERS} characters.`] : lines)
  }
}

/** The words of test/support/transcript-header.ts. */
function headerOf({
  client,
  upstreamMode,
  upstreamVerbs,
  reachesFirst,
  policy,
  tls,
  passthrough,
  welcome,
  serverName,
}: EngineOptions): string[] {
  const { bounce, pasvAddress, minPort, fxp, maxRefusals, maxLineBytes } = policy
  const always = { bounce, pasvAddress, minPort, maxRefusals, maxLineBytes }
  const settings = fxp.length === 0 ? always : { ...always, fxp }
  const words = (values: Readonly<Record<string, unknown>>) =>
    Object.entries(values)
      .map(([key, value]) => `${key}=${value}`)
      .join(' ')
  const lines = [`client ${client}`, `mode ${upstreamMode}`]
  if (upstreamVerbs.length > 0) lines.push(`verbs ${upstreamVerbs.join(' ')}`)
  if (reachesFirst) lines.push('reach first')
  lines.push(`policy ${words(settings)}`)
  if (tls != null) lines.push(`tls ${words(tlsWords(tls))}`)
  if (passthrough != null) lines.push(`passthrough ${passthrough}`)
  if (welcome != null) lines.push(welcome.notation)
  if (serverName != null) lines.push(`asked ${serverName}`)
  return [...lines, 'start nothing']
}

function tlsWords({ client, server }: NonNullable<EngineOptions['tls']>): Record<string, string> {
  const front = { client: client.mode, clientData: client.dataProtection, ccc: client.ccc }
  if (server === null) return front
  return { ...front, server: serverTlsWord(server), serverData: server.dataProtection }
}
