import { escapeUnsafeCharacters } from './text.ts'

/**
 * A JSON log line as a person reads it in a terminal:
 *
 * `12:03:04.123 WARN  command denied  event=command.deny listener=edge reason=bounce detail="10.0.0.9 port 21"`
 *
 * A stack, where there is one, follows on lines of its own.
 */
export function formatPretty(line: string): string {
  const { time, level, message, error, ...fields }: Record<string, unknown> = JSON.parse(line)
  const clock = String(time).slice(11, 23)
  const pairs = Object.entries(fields).map(([name, value]) => `${name}=${formatValue(value)}`)
  const words = [clock, String(level).toUpperCase().padEnd(5), String(message), '', ...pairs]
  return `${words.join(' ')}\n${formatError(error)}`
}

function formatValue(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  const isPlain = /^[^\s"=\\\x00-\x1f]+$/.test(text)
  return escapeUnsafeCharacters(isPlain || typeof value !== 'string' ? text : JSON.stringify(text))
}

function formatError(error: unknown): string {
  if (typeof error !== 'object' || error === null) return ''
  const text = 'stack' in error ? String(error.stack) : JSON.stringify(error)
  return text
    .split('\n')
    .map((line) => `    ${JSON.stringify(escapeUnsafeCharacters(line)).slice(1, -1)}\n`)
    .join('')
}
