// The only calls from C into us: what a client's hello asks for is answered in the middle of `SSL_do_handshake`. An
// exception must not cross C, so nothing here throws.

import { constants, type Openssl, type Pointer } from './openssl.ts'

/** Who is being shaken hands with; the two questions come from within that one call. */
export interface HelloAnswers {
  /** Another context for this name; null stays, `'refuse'` ends the handshake with alert 112. */
  contextFor(ssl: bigint): Pointer | 'refuse'
  /** A list of protocols without `ftp` is refused with alert 120. */
  readonly isAlpnStrict: boolean
  /** `ftp` is what both speak. */
  agreed(): void
}

export interface HelloCallbacks {
  readonly serverName: bigint
  readonly alpn: bigint
}

let answers: HelloAnswers | null = null
let callbacks: HelloCallbacks | null = null

/** Calls `handshake`, during which `given` answers. */
export function answerHello<T>(given: HelloAnswers, handshake: () => T): T {
  answers = given
  try {
    return handshake()
  } finally {
    answers = null
  }
}

/** Made once a process. */
export function helloCallbacks(openssl: Openssl): HelloCallbacks {
  const { ffi } = openssl
  const pointerTo = (values: string[]) => ffi.pointer(ffi.proto('int', values))
  callbacks ??= {
    serverName: ffi.register(
      (ssl: bigint) => chooseContext(openssl, ssl),
      pointerTo(['void *', 'void *', 'void *']),
    ),
    alpn: ffi.register(
      (_ssl: bigint, out: bigint, outLength: bigint, list: bigint, length: number) =>
        chooseProtocol(openssl, { out, outLength, list, length }),
      pointerTo(['void *', 'void *', 'void *', 'void *', 'unsigned int', 'void *']),
    ),
  }
  return callbacks
}

function chooseContext(openssl: Openssl, ssl: bigint): number {
  const { SSL_TLSEXT_ERR_OK, SSL_TLSEXT_ERR_NOACK, SSL_TLSEXT_ERR_ALERT_FATAL } = constants
  try {
    const context = answers?.contextFor(ssl) ?? null
    if (context === 'refuse') return SSL_TLSEXT_ERR_ALERT_FATAL
    if (context === null) return SSL_TLSEXT_ERR_NOACK
    openssl.useContext(ssl, context)
    return SSL_TLSEXT_ERR_OK
  } catch {
    return SSL_TLSEXT_ERR_ALERT_FATAL
  }
}

interface AlpnQuestion {
  readonly out: bigint
  readonly outLength: bigint
  readonly list: bigint
  readonly length: number
}

/** The list is names with their lengths before them: `\x03ftp\x08http/1.1`. @see RFC 7301 §3.1 */
function chooseProtocol({ ffi }: Openssl, { out, outLength, list, length }: AlpnQuestion): number {
  try {
    const bytes = Buffer.from(ffi.decode(list, 'uint8_t', length) as Uint8Array)
    for (let at = 0; at < length; ) {
      const size = bytes[at] ?? 0
      if (bytes.toString('latin1', at + 1, at + 1 + size) === 'ftp') {
        ffi.encode(outLength, 'uint8_t', size)
        ffi.encode(out, 'void *', list + BigInt(at + 1))
        answers?.agreed()
        return constants.SSL_TLSEXT_ERR_OK
      }
      at += size + 1
    }
  } catch {
    return constants.SSL_TLSEXT_ERR_ALERT_FATAL
  }
  const isStrict = answers?.isAlpnStrict !== false
  return isStrict ? constants.SSL_TLSEXT_ERR_ALERT_FATAL : constants.SSL_TLSEXT_ERR_NOACK
}
