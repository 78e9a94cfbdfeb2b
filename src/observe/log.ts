// Structured logging: one JSON object a line, or one readable line for a terminal. What an event is called, its
// level and its message stand in log/events.ts.

import { pino, stdSerializers } from 'pino'
import { AlgError } from '../errors.ts'
import type { LogLevel } from '../vocabulary.ts'
import { type EventName, events } from './log/events.ts'
import { createFloodGate } from './log/flood-gate.ts'
import { createLogOutput, type LogOutput, type LogOutputOptions } from './log/output.ts'
import { formatPretty } from './log/pretty.ts'
import { escapeUnsafeCharacters, truncate } from './log/text.ts'
import { tracker } from './tracker.ts'

/** Flat, snake_case. Strings from peers must have passed `safeText`. */
export type LogFields = Readonly<Record<string, unknown>>

export interface Log {
  /** Ask before building fields that may not be written: true when the level lets this event through. */
  wants(event: EventName): boolean
  /** `kind` parts the event's flood allowance: `reason` for a refusal. Warnings and errors only. */
  write(event: EventName, fields: LogFields, kind?: string): void
  /** The same with fields of any kind: errors and nested values are made presentable first. */
  log(event: EventName, fields?: LogFields): void
  setLevel(level: LogLevel): void
  /** Writes what waits, at once. */
  flush(): void
  /** Writes what waits and takes no more; resolves within a second, however stuck the reader is. */
  close(): Promise<void>
}

export interface LogSettings {
  readonly level: LogLevel
  readonly format: 'json' | 'pretty'
  /** A file descriptor, or whatever takes finished lines. Default: standard output. */
  readonly output?: number | { write(line: string): void }
  /** Other processes write to that descriptor too. */
  readonly isShared?: boolean
  /** Lines begin with their priority, `<4>`, as the journal of systemd understands it. */
  readonly hasPriorities?: boolean
  /** Lines lost to floods of identical warnings or to an output that cannot be written. */
  readonly lost?: (reason: 'flood' | 'output', lines: number) => void
}

/** Identical warnings (same event and reason) that are written in one second; the rest become one line. */
export const WARNINGS_PER_SECOND = 10

const levels: Readonly<Record<LogLevel, number>> = { debug: 20, info: 30, warn: 40, error: 50 }
/** Asked for every command and every reply: a map finds one of eighty names in half the time that an object takes. */
const severities: ReadonlyMap<string, number> = new Map(
  Object.entries(events).map(([event, { level }]) => [event, levels[level]]),
)
const ownFields = new Set(['time', 'level', 'message', 'event'])

export function createLog(settings: LogSettings): Log {
  const lost = settings.lost ?? (() => undefined)
  const output = openOutput(settings.output ?? 1, {
    isShared: settings.isShared ?? false,
    lost: (lines) => lost('output', lines),
    recovered: (lines, reason) => put('log.lose', { count: lines, reason }),
  })
  const line = settings.format === 'pretty' ? (json: string) => formatPretty(json) : (json: string) => json
  const prioritised = settings.hasPriorities === true ? withPriority : (_json: string, text: string) => text
  const logger = pino(
    {
      level: settings.level,
      base: null,
      timestamp: createTimestamp(),
      messageKey: 'message',
      errorKey: 'error',
      formatters: { level: (label) => ({ level: label }) },
      // `errorFields` has done it; pino's own serializer would take the result for an error called Object.
      serializers: { error: (error: unknown) => error },
    },
    { write: (json) => output.write(prioritised(json, line(json))) },
  )
  let threshold = levels[settings.level]
  const wants = (event: EventName) => (severities.get(event) ?? 0) >= threshold
  const put = (event: EventName, fields: LogFields) => {
    const { level, message } = events[event]
    logger[level]({ event, ...fields }, message)
  }
  const gate = createFloodGate({
    perSecond: WARNINGS_PER_SECOND,
    report: (kind, suppressed) => {
      lost('flood', suppressed)
      const [event = kind, ...reason] = kind.split(' ')
      put('log.suppress', { suppressed_event: event, suppressed_reason: reason.join(' '), count: suppressed })
    },
  })
  const write = (event: EventName, fields: LogFields, kind?: string) => {
    const level = levels[events[event].level]
    if (level < threshold) return
    if (level >= levels.warn && !gate.admits(kind === undefined ? event : `${event} ${kind}`)) return
    put(event, fields)
  }
  // Node waits for its threads before it ends, and one of them may wait for a reader for ever.
  const endStuck = () => {
    if (output.isStuck) process.kill(process.pid, 'SIGKILL')
  }
  const flushAtExit = () => {
    output.flush()
    endStuck()
  }
  if (typeof settings.output !== 'object') process.once('exit', flushAtExit)

  return {
    wants,
    write,
    log: (event, fields = {}) => {
      if (wants(event)) write(event, presentable(fields))
    },
    setLevel: (level) => {
      threshold = levels[level]
      logger.level = level
    },
    flush: () => output.flush(),
    close: async () => {
      gate.close()
      await output.drain(1000)
      output.flush()
      process.off('exit', flushAtExit)
      if (output.isStuck) process.once('exit', endStuck)
    },
  }
}

/**
 * An error as fields: `error` with type, message, stack and code, and the context of an `AlgError` beside it, each
 * value a field of its own.
 */
export function errorFields(error: unknown): LogFields {
  if (!(error instanceof Error)) return { error: { type: typeof error, message: truncate(String(error)) } }
  const { type, stack } = stdSerializers.err(error)
  const code = 'code' in error ? { code: String(error.code) } : {}
  const context = error instanceof AlgError ? presentable(error.context) : {}
  return { ...context, error: { type, message: escapeUnsafeCharacters(withCause(error)), ...code, stack } }
}

/** The same for a defect of ours, with the place where it is reported. */
export function defectFields(error: unknown): LogFields {
  return { ...errorFields(error), report: tracker }
}

/** Mostly the message has its cause's words already. */
function withCause({ message, cause }: Error): string {
  return !(cause instanceof Error) || message.includes(cause.message)
    ? message
    : `${message}: ${cause.message}`
}

/** Those of syslog, @see sd-daemon(3). */
const priorities: Readonly<Record<LogLevel, number>> = { debug: 7, info: 6, warn: 4, error: 3 }

/** `{"level":"warn",…}` gives `<4>{"level":"warn",…}`: pino writes the level first. Each line of a stack has it too. */
function withPriority(json: string, text: string): string {
  const level = /^\{"level":"(debug|info|warn|error)"/.exec(json)?.[1] ?? 'info'
  const prefix = `<${priorities[level as LogLevel]}>`
  return text.replaceAll(/^(?=.)/gm, prefix)
}

/** pino's ISO time, but one millisecond is formatted once: it was a quarter of what a line costs. */
function createTimestamp(): () => string {
  let last = 0
  let text = ''
  return () => {
    const now = Date.now()
    if (now !== last) {
      last = now
      text = `,"time":"${new Date(now).toISOString()}"`
    }
    return text
  }
}

function presentable(fields: LogFields): LogFields {
  const result: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(fields)) {
    if (ownFields.has(name)) continue
    if (value instanceof Error) Object.assign(result, errorFields(value))
    else result[name] = typeof value === 'string' ? escapeUnsafeCharacters(truncate(value)) : value
  }
  return result
}

function openOutput(
  output: number | { write(line: string): void },
  options: Omit<LogOutputOptions, 'fd'>,
): LogOutput {
  if (typeof output === 'number') return createLogOutput({ fd: output, ...options })
  return {
    write: (line) => output.write(line),
    flush: () => undefined,
    drain: () => Promise.resolve(),
    isStuck: false,
  }
}
