// No secret of a session gets into its transcript, and the transcript still does what the session did: what is hidden keeps
// the bytes that the engine looks at.

import { isVerb, maskCommand, parseCommand } from '../../ftp/commands.ts'

/** Every line of a client, as far as it may be shown. */
export function maskedLines(text: string): string {
  return text
    .split(lineEnds)
    .map((line) => {
      const [, words = '', end = ''] = /^(.*?)(\r?\n?)$/s.exec(line) ?? []
      return maskedLine(words) + end
    })
    .join('')
}

/**
 * `'PASS hunter2'` gives `'PASS ***'`. Of a line with other bytes than printable ASCII each letter and digit becomes `x`, for
 * the rest is what such a line is refused for.
 */
function maskedLine(line: string): string {
  const telnet = telnetBefore.exec(line)?.[0] ?? ''
  return telnet + maskedWords(line.slice(telnet.length))
}

function maskedWords(line: string): string {
  const command = parseCommand(line)
  const isPlain = /^[ -~]*$/.test(line)
  const shown = maskCommand(command)
  if (shown === line || (isPlain && isVerb(command.verb))) return isPlain ? spelled(line, shown) : line
  const from = isVerb(command.verb) && command.traits !== null ? command.verb.length : 0
  return line.slice(0, from) + line.slice(from).replace(/[A-Za-z0-9]/g, 'x')
}

/** The mask writes verbs in upper case; the client's own spelling stays. */
function spelled(line: string, shown: string): string {
  const verb = line.split(' ', 1)[0] ?? ''
  return verb + shown.slice(verb.length)
}

/** The LF of an ABOR may be lost as urgent data: a line ends there all the same. */
const lineEnds = /(?<=\n|(?:^|[\n\xf2\xff])ABOR\r(?!\n))/i

/** Telnet's commands may stand before a verb: ABOR comes so. */
const telnetBefore = /^(?:\xff\xfa.*?\xff\xf0|\xff[\xfb-\xfe].|[\x00-\x1f\x80-\xff])*/s

/** Servers repeat what they did not understand: what a client said in secret is hidden in their words too. */
export class SecretsHeard {
  readonly #secrets = new Set<string>()

  /** Lines of the client. */
  hear(text: string): void {
    for (const line of text.split(/\r?\n/)) {
      const command = parseCommand(line)
      if (maskCommand(command) !== line && command.argument.length >= SHORTEST)
        this.#secrets.add(command.argument)
      if (this.#secrets.size > MOST) this.#secrets.delete([...this.#secrets][0] ?? '')
    }
  }

  masked(text: string): string {
    let masked = text
    for (const secret of this.#secrets) masked = masked.replaceAll(secret, '***')
    return masked
  }
}

/** A shorter word stands in half of all replies. */
const SHORTEST = 4
const MOST = 20
