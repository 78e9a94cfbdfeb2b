// What a PROXY header of version 2 says of a client beside its address (section 2.2 of the specification).

/** TLS with a client. */
export interface ClientTlsFacts {
  /** The protocol that was agreed upon, or null. */
  readonly alpn: string | null
  /** The host that the client asked for (SNI), or null. */
  readonly authority: string | null
  /** `TLSv1.3` */
  readonly version: string
  /** `TLS_AES_256_GCM_SHA384` */
  readonly cipher: string
  /** Of the certificate that the client has shown, which was accepted; null: none, `''`: it has none. */
  readonly commonName: string | null
  /** The certificate was shown on an earlier connection. */
  readonly isResumed: boolean
}

const TYPE = {
  alpn: 0x01,
  authority: 0x02,
  ssl: 0x20,
  version: 0x21,
  commonName: 0x22,
  cipher: 0x23,
} as const
const CLIENT = { ssl: 0x01, certificateHere: 0x02, certificateInSession: 0x04 } as const
const NOT_VERIFIED = 1

export function writeTlvs(facts: ClientTlsFacts): Buffer {
  const { alpn, authority, version, cipher, commonName, isResumed } = facts
  const shown =
    commonName === null ? 0 : CLIENT.certificateInSession | (isResumed ? 0 : CLIENT.certificateHere)
  const head = Buffer.alloc(5)
  head.writeUInt8(CLIENT.ssl | shown, 0)
  head.writeUInt32BE(commonName === null ? NOT_VERIFIED : 0, 1)
  const parts = [head, tlv(TYPE.version, version), tlv(TYPE.commonName, commonName), tlv(TYPE.cipher, cipher)]
  return Buffer.concat([
    tlv(TYPE.alpn, alpn),
    tlv(TYPE.authority, authority),
    tlv(TYPE.ssl, Buffer.concat(parts)),
  ])
}

/** What a balancer says of a client that has TLS with it, or that it has looked at. */
export interface Introduction {
  /** The host that the client asked for (SNI), in lower case; null: none, or nothing that is a name. */
  readonly serverName: string | null
  /** `TLSv1.3`; null: the client has no TLS with the balancer. */
  readonly tls: string | null
}

/** Null where a length is a lie. What is not known here is passed over. */
export function readTlvs(bytes: Buffer): Introduction | null {
  const found = partsOf(bytes)
  if (found === null) return null
  const name = found.get(TYPE.authority)?.toString('latin1').toLowerCase() ?? ''
  const ssl = found.get(TYPE.ssl)
  const inside = ssl === undefined ? new Map<number, Buffer>() : partsOf(ssl.subarray(5))
  if (inside === null || (ssl !== undefined && ssl.length < 5)) return null
  const hasTls = ((ssl?.[0] ?? 0) & CLIENT.ssl) !== 0
  const version = inside.get(TYPE.version)?.toString('latin1') ?? ''
  return {
    serverName: /^[0-9a-z_.-]{1,255}$/.test(name) ? name.replace(/\.$/, '') : null,
    tls: hasTls ? (/^[0-9A-Za-z.]{1,16}$/.test(version) ? version : 'TLS') : null,
  }
}

function partsOf(bytes: Buffer): ReadonlyMap<number, Buffer> | null {
  const found = new Map<number, Buffer>()
  for (let at = 0; at < bytes.length; ) {
    if (bytes.length < at + 3) return null
    const end = at + 3 + bytes.readUInt16BE(at + 1)
    if (bytes.length < end) return null
    found.set(bytes.readUInt8(at), bytes.subarray(at + 3, end))
    at = end
  }
  return found
}

/** Nothing for what is not known. */
function tlv(type: number, value: string | Buffer | null): Buffer {
  const bytes = Buffer.from(value ?? '')
  if (bytes.length === 0) return bytes
  return Buffer.concat([Buffer.from([type, bytes.length >> 8, bytes.length & 0xff]), bytes])
}
