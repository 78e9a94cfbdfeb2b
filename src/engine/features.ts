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
  const lines = reply.text.split('\r\n')
  // Opening line, features, closing line, and the empty string after the last line end.
  if (reply.code !== 211 || lines.length < 3) {
    // "211 No features" or a refusal: a server that knows none still gains two through us.
    return reply.code === 211 && translated.length > 0
      ? `211-Features:\r\n${added(translated)}211 End\r\n`
      : reply.text
  }
  const missing = new Set(translated)
  const kept = lines.slice(1, -2).filter((line) => {
    const feature = featureOf(line)
    missing.delete(feature)
    if (verbs.get(feature)?.forbidden === true) return false
    return keepTls || !tlsFeatures.has(feature)
  })
  const body = kept.map((line) => `${line}\r\n`).join('')
  return `${lines[0]}\r\n${body}${added([...missing])}${reply.line}\r\n`
}

/** `' MLST Type*;Size*;'` gives `MLST`, and so does `'211-MLST Type*;Size*;'`, as some servers write it. */
function featureOf(line: string): string {
  const [feature = ''] = line.replace(/^211-/, '').trim().split(/[ ;]/)
  return feature.toUpperCase()
}

function added(features: readonly string[]): string {
  return features.map((feature) => ` ${feature}\r\n`).join('')
}
