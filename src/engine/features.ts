import { verbs } from '../ftp/commands.ts'
import type { Reply } from './reply.ts'

const tlsFeatures = new Set(['AUTH', 'PBSZ', 'PROT', 'CCC', 'CPSV', 'SSCN'])
const translatedVerbs = ['EPRT', 'EPSV']

/**
 * Edits a FEAT reply so that it tells the truth about what works through us: verbs that we refuse are dropped, EPRT
 * and EPSV are added where we translate them whatever the server knows, and what we know of TLS (`tls`).
 *
 * Feature lines keep their text; a reply that is not a 211 list comes back as it is.
 * @see RFC 2389 §3.2
 */
export function editFeatures(
  reply: Reply,
  {
    keepTls,
    tls = [],
    translates,
  }: { readonly keepTls: boolean; readonly tls?: readonly string[]; readonly translates: boolean },
): string {
  const translated = [...(translates ? translatedVerbs : []), ...tls]
  // Where a line ends in CRLF, all may: some servers write one of the two by hand.
  const end = reply.text.includes('\r\n') || !reply.text.includes('\n') ? '\r\n' : '\n'
  const lines = reply.text.split(/\r?\n/)
  // Opening line, features, closing line, and the empty string after the last line end.
  if (reply.code !== 211 || lines.length < 3) {
    // "211 No features" or a refusal: a server that knows none still gains two through us.
    return reply.code === 211 && translated.length > 0
      ? `211-Features:${end}${added(translated, end)}211 End${end}`
      : reply.text
  }
  const missing = new Set(translated)
  const kept = lines.slice(1, -2).filter((line) => {
    const feature = featureOf(line)
    missing.delete(feature)
    if (verbs.get(feature)?.forbidden === true) return false
    return keepTls || !tlsFeatures.has(feature)
  })
  const body = kept.map((line) => `${line}${end}`).join('')
  return `${lines[0]}${end}${body}${added([...missing], end)}${reply.line}${end}`
}

/** `' MLST Type*;Size*;'` gives `MLST`, and so does `'211-MLST Type*;Size*;'`, as some servers write it. */
function featureOf(line: string): string {
  const [feature = ''] = line.replace(/^211-/, '').trim().split(/[ ;]/)
  return feature.toUpperCase()
}

function added(features: readonly string[], end: string): string {
  return features.map((feature) => ` ${feature}${end}`).join('')
}
