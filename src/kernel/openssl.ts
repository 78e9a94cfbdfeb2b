// OpenSSL as Node carries it: its functions are symbols of the process itself, exported on purpose for add-ons. No
// libssl.so is ever loaded, since its calls into libcrypto would end in Node's own copy, which is another version.
//
// Every prototype stands here once, as OpenSSL's headers write it: a test compiles them against those headers. Pointers
// stay in this room; `openssl-context.ts` and `openssl-stream.ts` own them.
// @see https://nodejs.org/api/addons.html, "Linking to libraries included with Node.js"

import { AlgError } from '../errors.ts'
import { type Ffi, loadFfi } from './ffi.ts'

/** The address of an object of OpenSSL's, or null. */
export type Pointer = bigint | null

/** What C code may call: made by koffi, never freed. */
export type Callback = Pointer

interface Prototype<F> {
  readonly text: string
  /** Exists for the compiler alone. */
  readonly type?: F
}

function c<F>(text: string): Prototype<F> {
  return { text }
}

type Bytes = Uint8Array
/** `char **` and the like: one pointer, which the call reads or moves. */
type PointerCell = BigUint64Array

export const prototypes = {
  versionNumber: c<() => number>('unsigned long OpenSSL_version_num(void)'),
  clearErrors: c<() => void>('void ERR_clear_error(void)'),
  nextError: c<() => number>('unsigned long ERR_get_error(void)'),
  reasonText: c<(code: number) => string | null>('const char *ERR_reason_error_string(unsigned long code)'),
  verifyText: c<(result: number) => string>('const char *X509_verify_cert_error_string(long result)'),

  serverMethod: c<() => Pointer>('const SSL_METHOD *TLS_server_method(void)'),
  clientMethod: c<() => Pointer>('const SSL_METHOD *TLS_client_method(void)'),
  contextNew: c<(method: Pointer) => Pointer>('SSL_CTX *SSL_CTX_new(const SSL_METHOD *method)'),
  contextFree: c<(context: Pointer) => void>('void SSL_CTX_free(SSL_CTX *context)'),
  contextControl: c<(context: Pointer, command: number, number: number, pointer: Pointer) => number>(
    'long SSL_CTX_ctrl(SSL_CTX *context, int command, long number, void *pointer)',
  ),
  contextCallback: c<(context: Pointer, command: number, callback: Callback) => number>(
    'long SSL_CTX_callback_ctrl(SSL_CTX *context, int command, void (*callback)(void))',
  ),
  contextOptions: c<(context: Pointer, options: number) => number>(
    'uint64_t SSL_CTX_set_options(SSL_CTX *context, uint64_t options)',
  ),
  contextCiphers: c<(context: Pointer, list: string) => number>(
    'int SSL_CTX_set_cipher_list(SSL_CTX *context, const char *list)',
  ),
  contextSuites: c<(context: Pointer, list: string) => number>(
    'int SSL_CTX_set_ciphersuites(SSL_CTX *context, const char *list)',
  ),
  contextVerify: c<(context: Pointer, mode: number, callback: Callback) => void>(
    'void SSL_CTX_set_verify(SSL_CTX *context, int mode, SSL_verify_cb callback)',
  ),
  contextStore: c<(context: Pointer) => Pointer>(
    'X509_STORE *SSL_CTX_get_cert_store(const SSL_CTX *context)',
  ),
  contextClientCa: c<(context: Pointer, certificate: Pointer) => number>(
    'int SSL_CTX_add_client_CA(SSL_CTX *context, X509 *certificate)',
  ),
  contextCertificate: c<(context: Pointer, certificate: Pointer) => number>(
    'int SSL_CTX_use_certificate(SSL_CTX *context, X509 *certificate)',
  ),
  contextKey: c<(context: Pointer, key: Pointer) => number>(
    'int SSL_CTX_use_PrivateKey(SSL_CTX *context, EVP_PKEY *key)',
  ),
  contextCheckKey: c<(context: Pointer) => number>('int SSL_CTX_check_private_key(const SSL_CTX *context)'),
  contextLifetime: c<(context: Pointer, seconds: number) => number>(
    'long SSL_CTX_set_timeout(SSL_CTX *context, long seconds)',
  ),
  contextReadBuffer: c<(context: Pointer, length: number) => void>(
    'void SSL_CTX_set_default_read_buffer_len(SSL_CTX *context, size_t length)',
  ),
  contextAlpn: c<(context: Pointer, list: Bytes, length: number) => number>(
    'int SSL_CTX_set_alpn_protos(SSL_CTX *context, const unsigned char *list, unsigned int length)',
  ),
  contextChooseAlpn: c<(context: Pointer, callback: Callback, argument: Pointer) => void>(
    'void SSL_CTX_set_alpn_select_cb(SSL_CTX *context, SSL_CTX_alpn_select_cb_func callback, void *argument)',
  ),

  readCertificate: c<(into: null, from: PointerCell, length: number) => Pointer>(
    'X509 *d2i_X509(X509 **into, const unsigned char **from, long length)',
  ),
  writeCertificate: c<(certificate: Pointer, into: PointerCell | null) => number>(
    'int i2d_X509(const X509 *certificate, unsigned char **into)',
  ),
  freeCertificate: c<(certificate: Pointer) => void>('void X509_free(X509 *certificate)'),
  readKey: c<(into: null, from: PointerCell, length: number) => Pointer>(
    'EVP_PKEY *d2i_AutoPrivateKey(EVP_PKEY **into, const unsigned char **from, long length)',
  ),
  freeKey: c<(key: Pointer) => void>('void EVP_PKEY_free(EVP_PKEY *key)'),
  readCrl: c<(into: null, from: PointerCell, length: number) => Pointer>(
    'X509_CRL *d2i_X509_CRL(X509_CRL **into, const unsigned char **from, long length)',
  ),
  freeCrl: c<(crl: Pointer) => void>('void X509_CRL_free(X509_CRL *crl)'),
  storeCertificate: c<(store: Pointer, certificate: Pointer) => number>(
    'int X509_STORE_add_cert(X509_STORE *store, X509 *certificate)',
  ),
  storeCrl: c<(store: Pointer, crl: Pointer) => number>(
    'int X509_STORE_add_crl(X509_STORE *store, X509_CRL *crl)',
  ),
  storeFlags: c<(store: Pointer, flags: number) => number>(
    'int X509_STORE_set_flags(X509_STORE *store, unsigned long flags)',
  ),

  streamNew: c<(context: Pointer) => Pointer>('SSL *SSL_new(SSL_CTX *context)'),
  streamFree: c<(ssl: Pointer) => void>('void SSL_free(SSL *ssl)'),
  streamContext: c<(ssl: Pointer) => Pointer>('SSL_CTX *SSL_get_SSL_CTX(const SSL *ssl)'),
  useContext: c<(ssl: Pointer, context: Pointer) => Pointer>(
    'SSL_CTX *SSL_set_SSL_CTX(SSL *ssl, SSL_CTX *context)',
  ),
  useDescriptor: c<(ssl: Pointer, fd: number) => number>('int SSL_set_fd(SSL *ssl, int fd)'),
  accepts: c<(ssl: Pointer) => void>('void SSL_set_accept_state(SSL *ssl)'),
  connects: c<(ssl: Pointer) => void>('void SSL_set_connect_state(SSL *ssl)'),
  bindSessions: c<(ssl: Pointer, id: Bytes, length: number) => number>(
    'int SSL_set_session_id_context(SSL *ssl, const unsigned char *id, unsigned int length)',
  ),
  tickets: c<(ssl: Pointer, count: number) => number>('int SSL_set_num_tickets(SSL *ssl, size_t count)'),
  newTicket: c<(ssl: Pointer) => number>('int SSL_new_session_ticket(SSL *ssl)'),
  control: c<(ssl: Pointer, command: number, number: number, text: Bytes) => number>(
    'long SSL_ctrl(SSL *ssl, int command, long number, void *text)',
  ),
  expectName: c<(ssl: Pointer, name: string) => number>('int SSL_set1_host(SSL *ssl, const char *name)'),
  parameters: c<(ssl: Pointer) => Pointer>('X509_VERIFY_PARAM *SSL_get0_param(SSL *ssl)'),
  expectAddress: c<(parameters: Pointer, address: string) => number>(
    'int X509_VERIFY_PARAM_set1_ip_asc(X509_VERIFY_PARAM *parameters, const char *address)',
  ),
  handshake: c<(ssl: Pointer) => number>('int SSL_do_handshake(SSL *ssl)'),
  read: c<(ssl: Pointer, bytes: Bytes, length: number) => number>(
    'int SSL_read(SSL *ssl, void *bytes, int length)',
  ),
  write: c<(ssl: Pointer, bytes: Bytes, length: number) => number>(
    'int SSL_write(SSL *ssl, const void *bytes, int length)',
  ),
  shutdown: c<(ssl: Pointer) => number>('int SSL_shutdown(SSL *ssl)'),
  errorOf: c<(ssl: Pointer, result: number) => number>('int SSL_get_error(const SSL *ssl, int result)'),
  readAhead: c<(ssl: Pointer, isOn: number) => void>('void SSL_set_read_ahead(SSL *ssl, int isOn)'),
  wasResumed: c<(ssl: Pointer) => number>('int SSL_session_reused(const SSL *ssl)'),
  protocolOf: c<(ssl: Pointer) => string>('const char *SSL_get_version(const SSL *ssl)'),
  cipherOf: c<(ssl: Pointer) => Pointer>('const SSL_CIPHER *SSL_get_current_cipher(const SSL *ssl)'),
  cipherName: c<(cipher: Pointer) => string>('const char *SSL_CIPHER_get_name(const SSL_CIPHER *cipher)'),
  serverName: c<(ssl: Pointer, type: number) => string | null>(
    'const char *SSL_get_servername(const SSL *ssl, const int type)',
  ),
  peerCertificate: c<(ssl: Pointer) => Pointer>('X509 *SSL_get1_peer_certificate(const SSL *ssl)'),
  verifyResult: c<(ssl: Pointer) => number>('long SSL_get_verify_result(const SSL *ssl)'),
  sessionOf: c<(ssl: Pointer) => Pointer>('SSL_SESSION *SSL_get1_session(SSL *ssl)'),
  useSession: c<(ssl: Pointer, session: Pointer) => number>(
    'int SSL_set_session(SSL *ssl, SSL_SESSION *session)',
  ),
  canResume: c<(session: Pointer) => number>('int SSL_SESSION_is_resumable(const SSL_SESSION *session)'),
  freeSession: c<(session: Pointer) => void>('void SSL_SESSION_free(SSL_SESSION *session)'),
} as const

export type Openssl = {
  readonly [Name in keyof typeof prototypes]: NonNullable<(typeof prototypes)[Name]['type']>
} & {
  readonly ffi: Ffi
}

/**
 * OpenSSL, bound once.
 *
 * Errors: `AlgError` KERNEL_FEATURE_MISSING off Linux, without koffi, and for a Node whose OpenSSL is older than 3.0 or
 * hides a function.
 */
export function loadOpenssl(): Promise<Openssl> {
  loaded ??= loadFfi().then(bindOpenssl)
  return loaded
}

let loaded: Promise<Openssl> | null = null

/** Replaced only by tests. */
export function bindOpenssl(ffi: Ffi): Openssl {
  const library = ffi.load(null)
  const bind = (text: string) => {
    try {
      return library.func(forKoffi(text))
    } catch (cause) {
      const message = `TLS needs OpenSSL's functions in the node process, and ${process.version} has no ${nameOf(text)}: use a build of Node that exports them, as those of nodejs.org and Debian do`
      throw new AlgError('KERNEL_FEATURE_MISSING', message, { cause })
    }
  }
  const calls = Object.fromEntries(Object.entries(prototypes).map(([name, { text }]) => [name, bind(text)]))
  // What a koffi function takes and gives is known by its prototype alone.
  const openssl = { ...calls, ffi } as unknown as Openssl
  if (Number(openssl.versionNumber()) < OPENSSL_3) {
    const message = `TLS needs OpenSSL 3.0, and ${process.version} carries ${process.versions.openssl}`
    throw new AlgError('KERNEL_FEATURE_MISSING', message)
  }
  return openssl
}

/** `'SSL *SSL_new(SSL_CTX *context)'` gives `SSL_new`. */
export function nameOf(prototype: string): string {
  return /(\w+)\(/.exec(prototype)?.[1] ?? ''
}

/** Every pointer but a text that is read is untyped: `'void *SSL_new(void *context)'`. */
function forKoffi(prototype: string): string {
  return prototype
    .replace(/\bvoid \(\*(\w+)\)\(void\)/, 'void *$1')
    .replace(/\bSSL_verify_cb\b|\bSSL_CTX_alpn_select_cb_func\b/, 'void *')
    .replace(/(?:const )?\b(?:unsigned char|[A-Z]\w+) \*\*?/g, 'void *')
}

/** Numbers of OpenSSL's headers, equal in every 3.x; the same test compiles them. */
export const constants = {
  SSL_ERROR_SSL: 1,
  SSL_ERROR_WANT_READ: 2,
  SSL_ERROR_WANT_WRITE: 3,
  SSL_ERROR_SYSCALL: 5,
  SSL_ERROR_ZERO_RETURN: 6,
  SSL_CTRL_MODE: 33,
  SSL_CTRL_CLEAR_MODE: 78,
  SSL_CTRL_SET_SESS_CACHE_MODE: 44,
  SSL_CTRL_SET_TLSEXT_SERVERNAME_CB: 53,
  SSL_CTRL_SET_TLSEXT_HOSTNAME: 55,
  SSL_CTRL_CHAIN_CERT: 89,
  SSL_CTRL_SET_MIN_PROTO_VERSION: 123,
  SSL_MODE_ENABLE_PARTIAL_WRITE: 0x1,
  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER: 0x2,
  SSL_MODE_AUTO_RETRY: 0x4,
  SSL_MODE_RELEASE_BUFFERS: 0x10,
  SSL_SESS_CACHE_OFF: 0,
  SSL_SESS_CACHE_SERVER: 2,
  SSL_OP_NO_COMPRESSION: 2 ** 17,
  SSL_OP_CIPHER_SERVER_PREFERENCE: 2 ** 22,
  SSL_OP_NO_RENEGOTIATION: 2 ** 30,
  SSL_VERIFY_NONE: 0,
  SSL_VERIFY_PEER: 1,
  SSL_VERIFY_FAIL_IF_NO_PEER_CERT: 2,
  TLSEXT_NAMETYPE_host_name: 0,
  SSL_TLSEXT_ERR_OK: 0,
  SSL_TLSEXT_ERR_ALERT_FATAL: 2,
  SSL_TLSEXT_ERR_NOACK: 3,
  TLS1_2_VERSION: 0x303,
  TLS1_3_VERSION: 0x304,
  X509_V_OK: 0,
  X509_V_FLAG_CRL_CHECK: 0x4,
  X509_V_ERR_HOSTNAME_MISMATCH: 62,
  X509_V_ERR_IP_ADDRESS_MISMATCH: 64,
  SSL_R_CERTIFICATE_VERIFY_FAILED: 134,
  SSL_R_HTTP_REQUEST: 156,
  SSL_R_WRONG_VERSION_NUMBER: 267,
  SSL_R_PACKET_LENGTH_TOO_LONG: 198,
  SSL_R_BAD_RECORD_TYPE: 443,
  SSL_R_CALLBACK_FAILED: 234,
  SSL_R_UNSUPPORTED_PROTOCOL: 258,
  SSL_R_NO_SHARED_CIPHER: 193,
  SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE: 199,
  SSL_R_NO_APPLICATION_PROTOCOL: 235,
  SSL_R_UNEXPECTED_EOF_WHILE_READING: 294,
} as const

const OPENSSL_3 = 0x30000000
