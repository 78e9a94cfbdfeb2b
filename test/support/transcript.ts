// Golden conversations: a text file says what both peers and the world do, and what the engine must do about it.
//
//   # The first comment is the name of the test.
//   client 192.0.2.9                 the header: transcript-header.ts has its words and what they are if not said
//   mode passive
//
//   C> PASV                          the client sends a line                     (an event)
//      S< PASV                       that line must go to the server             (an effect: indented)
//   S> 227 Entering Passive Mode (10,0,0,5,19,137).
//      pinhole 1 from client to 10.0.0.5:5001
//   ! pinhole 1 opened 203.0.113.9:40001
//      C< 227 Entering Passive Mode (203,0,113,9,156,65).
//
// A line is sent with CRLF. One that ends in `\n` has its own line end, one that ends in a lone `\` has none; other
// bytes are `\r`, `\\` and `\xff`. Lines of one side right below each other are one segment, or any number of them.

import type { Effect, Event, Side } from '../../src/engine/contract.ts'
import { ControlEngine } from '../../src/engine/control.ts'
import { renderEffects } from '../../src/engine/notation.ts'
import type { EngineOptions } from '../../src/engine/options.ts'
import { type Header, readHeader } from './transcript-header.ts'
import { readEvent, readText } from './transcript-notation.ts'

export interface Transcript {
  /** The first comment: a sentence. */
  readonly name: string
  readonly header: Header
  /** Everything after the header, as it stands in the file. */
  readonly conversation: string
}

/** How what one side says arrives: in which pieces. */
export type Segmentation = (text: string) => readonly string[]

export type MakeEngine = (options: EngineOptions) => ControlEngine

export const whole: Segmentation = (text) => [text]
export const byteByByte: Segmentation = (text) => [...text]

/** Takes a transcript file apart. Throws an `Error` with the line for anything that is no notation. */
export function parseTranscript(text: string): Transcript {
  const blank = text.indexOf('\n\n')
  if (blank < 0) throw new Error('a transcript is a header, an empty line and a conversation')
  const lines = text.slice(0, blank).split('\n')
  const comments = lines.filter((line) => line.startsWith('#')).map((line) => line.slice(1).trim())
  const header = readHeader(lines.filter((line) => !line.startsWith('#')))
  return { name: comments.join(' '), header, conversation: text.slice(blank + 2) }
}

/**
 * Plays the events of a transcript and gives the conversation as it really went, in the same notation: equal to
 * `transcript.conversation` if the engine did what stands there.
 */
export function replay(transcript: Transcript, segmentation: Segmentation): string {
  return play(transcript, { segmentation, make: (options) => new ControlEngine(options) })
}

/** The same with an engine of the caller's. */
export function play(
  { header, conversation }: Transcript,
  { segmentation, make }: { readonly segmentation: Segmentation; readonly make: MakeEngine },
): string {
  const engine = startEngine(header, make)
  const rendered: string[] = []
  for (const step of stepsOf(conversation)) {
    rendered.push(...step.lines)
    const effects: Effect[] = []
    for (const event of eventsOf(step, segmentation)) effects.push(...engine.handle(event))
    rendered.push(...renderEffects(effects, header.shown).map((line) => `   ${line}`))
  }
  return `${rendered.join('\n')}\n`
}

/** An engine as the header describes it, after what has happened unseen. */
export function startEngine(
  { options, server, knows, start }: Header,
  make: MakeEngine = (options) => new ControlEngine(options),
): ControlEngine {
  const engine = make(options)
  if (start === 'nothing') return engine
  engine.handle({ type: 'upstreamConnected', server, knows, manner: null })
  const say = (side: Side, line: string) => engine.handle({ type: 'received', side, text: `${line}\r\n` })
  if (start === 'connected') return engine
  say('server', '220 Ready.')
  if (start === 'greeted') return engine
  say('client', 'USER joe')
  say('server', '331 Password please.')
  say('client', 'PASS secret')
  say('server', '230 Logged in.')
  return engine
}

/** Event lines that belong together, or a comment. Effects are left out: they are what is to be found. */
interface Step {
  readonly lines: string[]
  /** What a side says; null for any other event. */
  readonly said: { readonly side: Side; text: string } | null
}

function stepsOf(conversation: string): Step[] {
  const steps: Step[] = []
  let mayJoin = false
  for (const line of conversation.replace(/\n$/, '').split('\n')) {
    const said = readSaid(line)
    const last = steps.at(-1)
    if (line.startsWith('   ')) {
      mayJoin = false
    } else if (mayJoin && said !== null && last?.said?.side === said.side) {
      last.lines.push(line)
      last.said.text += said.text
    } else {
      steps.push({ lines: [line], said })
      mayJoin = said !== null
    }
  }
  return steps
}

function eventsOf({ lines, said }: Step, segmentation: Segmentation): Event[] {
  if (said !== null) {
    return segmentation(said.text).map((text) => ({ type: 'received', side: said.side, text }))
  }
  const [line = ''] = lines
  return line === '' || line.startsWith('#') ? [] : [readEvent(line)]
}

function readSaid(line: string): { side: Side; text: string } | null {
  const match = /^([CS])> ?(.*)$/.exec(line)
  return match === null
    ? null
    : { side: match[1] === 'C' ? 'client' : 'server', text: readText(match[2] ?? '') }
}
