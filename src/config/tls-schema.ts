// `listeners[].tls` and `listeners[].upstreamTls` of the configuration file.

import { isDeepStrictEqual } from 'node:util'
import type { z } from 'zod'
import { hostForm } from './address.ts'
import { accept, complaint, refuse, type TextForm } from './complaint.ts'
import type { ListenerTlsConfig, UpstreamTlsConfig } from './config.ts'
import { choiceField, listField, section, textField, wordForm } from './field.ts'

const pemFileForm: TextForm<string> = {
  name: 'file',
  allowed: 'an absolute path such as /etc/ftp-alg/edge.crt',
  pattern: '^/.*[^/]$',
  parse: (text) => {
    if (!text.startsWith('/')) return refuse('is not an absolute path')
    if (text.endsWith('/')) return refuse('names a folder')
    return text.includes('\0') ? refuse('has a NUL character') : accept(text)
  },
}

const cipherListForm = wordForm({
  name: 'cipher list',
  allowed:
    'names as OpenSSL writes them, with colons between, as in TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256',
  pattern: '^[0-9A-Za-z_:!+@=.-]+$',
})

const pinForm = wordForm({
  name: 'pin',
  allowed:
    'sha256/ and the SHA-256 of a public key in base64, as in sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=',
  pattern: '^sha256/[0-9A-Za-z+/]{43}=$',
})

const minVersion = choiceField(
  ['TLSv1.2', 'TLSv1.3'],
  'The oldest version that is spoken; older ones never are.',
).prefault('TLSv1.2')

const ciphers = section(
  {
    tls12: textField(cipherListForm, 'Those of TLS 1.2.').optional(),
    tls13: textField(cipherListForm, 'Those of TLS 1.3.').optional(),
  },
  'Which ciphers, where OpenSSL’s own choice is not to be.',
).prefault({})

const truncation = choiceField(
  ['refuse', 'accept'],
  'A data connection that ends without close_notify: the other one is reset, so that half a file looks whole to nobody, or it is the end all the same.',
).prefault('refuse')

const tlsSection = section(
  {
    mode: choiceField(
      ['off', 'optional', 'required', 'implicit', 'passthrough', 'passthrough-implicit'],
      'TLS with clients: none; by AUTH TLS for those who ask; by AUTH TLS before a login; or from the first byte, usually on port 990. Or TLS between client and server that we cannot see into: after AUTH TLS, or from the first byte. Nothing in it is rewritten, so data connections work only where the network lets them through by itself.',
    ).prefault('off'),
    certificates: listField(
      section(
        {
          certificate: textField(pemFileForm, 'PEM: the certificate, and the rest of its chain.'),
          key: textField(pemFileForm, 'PEM: its private key, not encrypted.'),
        },
        'A certificate and its key.',
      ),
      {
        description: 'What clients are shown; the first, unless one asks for a name that another has.',
        kind: 'list',
        allowed: 'a list such as { certificate: /etc/ftp-alg/edge.crt, key: /etc/ftp-alg/edge.key }',
      },
    ).prefault([]),
    minVersion,
    ciphers,
    dataProtection: choiceField(
      ['client', 'required', 'never'],
      'Data connections of clients with TLS: as the client’s PROT says, only after PROT P, or never encrypted.',
    ).prefault('client'),
    dataReuse: choiceField(
      ['required', 'offered', 'off'],
      'Whether an encrypted data connection must resume the TLS session of its own control connection, which proves that it is the same client: who does not gets 522, or is let in. Python’s ftplib and some others cannot.',
    ).prefault('offered'),
    truncation,
    ccc: choiceField(
      ['refuse', 'allow'],
      'CCC: whether a client that has logged in may go on in clear on its control connection, which firewalls on its way can then read.',
    ).prefault('refuse'),
    clientCertificates: choiceField(
      ['off', 'optional', 'required'],
      'Whether clients show a certificate of their own.',
    ).prefault('off'),
    clientCa: textField(pemFileForm, 'PEM: the authorities that vouch for clients.').optional(),
    clientCrl: textField(pemFileForm, 'PEM: their revocation lists.').optional(),
    unknownNames: choiceField(
      ['default', 'refuse'],
      'A client that asks for a name that no certificate has gets the first one, or no connection.',
    ).prefault('default'),
    alpn: choiceField(
      ['strict', 'ignore'],
      'A client that lists protocols (ALPN) without ftp among them is refused, since it means somebody else; or is let in.',
    ).prefault('strict'),
  },
  'TLS with clients (FTPS); needs Linux and koffi.',
)

const upstreamTlsSection = section(
  {
    mode: choiceField(
      ['off', 'as-client', 'optional', 'required', 'implicit'],
      'TLS with the server: none; where the client has it; if the server knows AUTH TLS; always by AUTH TLS; or from the first byte.',
    ).prefault('off'),
    verify: choiceField(
      ['full', 'chain', 'pin', 'none'],
      'What the server’s certificate must stand: an authority and the name, an authority alone, a pin alone, or nothing.',
    ).prefault('full'),
    ca: textField(
      pemFileForm,
      'PEM: the authorities that vouch for it; absent: those that Node carries, and those of the file in NODE_EXTRA_CA_CERTS.',
    ).optional(),
    name: textField(
      hostForm,
      'The name that the certificate must have; absent: the host of upstream.',
    ).optional(),
    pins: listField(textField(pinForm, 'A pin.'), {
      description: 'Public keys, one of which the server must have.',
      kind: 'list',
      allowed: `a list of ${pinForm.allowed}`,
    }).prefault([]),
    certificate: textField(
      pemFileForm,
      'PEM: our own certificate, where the server asks for one.',
    ).optional(),
    key: textField(pemFileForm, 'PEM: its private key.').optional(),
    minVersion,
    ciphers,
    dataProtection: choiceField(
      ['as-client', 'required', 'never'],
      'Data connections with the server: as those with the client, PROT P, or PROT C.',
    ).prefault('required'),
    truncation,
  },
  'TLS with the server; needs Linux and koffi.',
)

/** Null: off. */
export const tlsSchema = tlsSection.transform(listenerTlsOf)
export const upstreamTlsSchema = upstreamTlsSection.transform(upstreamTlsOf)

type TlsSection = z.output<typeof tlsSection>
type UpstreamTlsSection = z.output<typeof upstreamTlsSection>

/** TLS of a listener that is not its own. */
export type PassthroughMode = 'passthrough' | 'passthrough-implicit'

function listenerTlsOf(
  tls: TlsSection,
  context: z.core.ParsePayload,
): ListenerTlsConfig | { readonly mode: 'passthrough' } | { readonly mode: 'passthrough-implicit' } | null {
  const { mode, ciphers: given, clientCa = null, clientCrl = null } = tls
  if (mode === 'off') return null
  if (mode !== 'passthrough' && mode !== 'passthrough-implicit') {
    return { ...tls, mode, ciphers: ciphersOf(given), clientCa, clientCrl }
  }
  const defaults: TlsSection = tlsSection.parse({})
  for (const [key, value] of Object.entries(tls)) {
    if (key === 'mode' || isDeepStrictEqual(value, Reflect.get(defaults, key))) continue
    const reason = `has no use when tls.mode is ${mode}: TLS is between client and server alone`
    const message = complaint(reason, { given: value, allowed: 'nothing' })
    context.issues.push({ code: 'custom', message, input: value, path: [key] })
  }
  return mode === 'passthrough' ? { mode } : { mode }
}

function upstreamTlsOf(tls: UpstreamTlsSection): UpstreamTlsConfig | null {
  const { mode, ciphers: given, ca = null, name = null, certificate = null, key = null } = tls
  if (mode === 'off') return null
  return { ...tls, mode, ciphers: ciphersOf(given), ca, name, certificate, key }
}

/** As it stands in the file: without what is null. */
export function printTls<T extends ListenerTlsConfig | UpstreamTlsConfig>(tls: T): Record<string, unknown> {
  const present = (values: object) =>
    Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null))
  return { ...present(tls), ciphers: present(tls.ciphers) }
}

function ciphersOf({ tls12, tls13 }: TlsSection['ciphers']): ListenerTlsConfig['ciphers'] {
  return { tls12: tls12 ?? null, tls13: tls13 ?? null }
}
