// What a server says beside the answer to a PASV or EPSV of ours, without the endpoint that a client could read in it.

/**
 * A line of a server that must not be read for an endpoint, its digits taken out where a client could take them for one:
 * `'227 Entering Passive Mode (10,0,0,5,19,137)'` gives `'227 Entering Passive Mode (**,*,*,*,**,***)'`. Every other
 * line comes back as it is.
 *
 * `text` is the line, or its beginning where it is too long to be held; `rest` is what of it is passed on now.
 */
export function withoutEndpoint({
  place,
  text,
  rest,
}: {
  readonly place: string
  readonly text: string
  readonly rest: string
}): string {
  if (!mayNameEndpoint(text)) return rest
  const isWhole = rest.startsWith(text)
  if (place === 'inner' && isWhole && !looksLikeEndpoint.test(text)) return rest
  // Where the line's beginning was given out before, no code is left in the rest.
  const kept = rest.startsWith(text.slice(0, 3)) ? 3 : 0
  return rest.slice(0, kept) + rest.slice(kept).replace(/\d/g, '*')
}

/** Every line of a reply that was held whole, as `withoutEndpoint` gives them. */
export function replyWithoutEndpoints(reply: string): string {
  if (!reply.includes('22')) return reply
  return reply.replace(/[^\n]+/g, (text) => withoutEndpoint({ place: 'inner', text, rest: text }))
}

/**
 * The lines before the last of a 227 or 229. Whatever their code, ftplib searches them for six numbers first:
 * `'230 (6,6,6,6,0,25)'` gives `'230 (*,*,*,*,*,**)'`.
 */
export function linesBeforeEndpoint(lines: string): string {
  return lines.replace(endpoints, (found) => found.replace(/\d/g, '*'))
}

/** Whether a line, or what has come of it, is a 227 or 229 to some client: ftplib wants no blank behind the code. */
export function mayNameEndpoint(line: string): boolean {
  const first = line.charCodeAt(0)
  if (first !== TWO && first !== IAC) return false
  // tnftp and lftp take Telnet out of a line wherever it stands.
  return beginsLikeEndpoint.test(line.includes('\xff') ? line.replace(telnetCommand, '') : line)
}

const TWO = 50
const IAC = 0xff

const beginsLikeEndpoint = /^(?:2?2?$|22[79])/
const telnetCommand = /\xff(?:[\xf0-\xfa]|[\xfb-\xfe][\s\S]?|$)/g

/** As the most lenient client reads: six numbers, or a number between brackets. */
const endpoints = /(?:\d+[ \t]*,[ \t]*){5}\d+|\(.*\d.*\)/g
const looksLikeEndpoint = new RegExp(endpoints, '')
