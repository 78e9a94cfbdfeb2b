// Every value that a label may have, with what it means. Labels never hold what a peer wrote: a user name, a
// path or an unknown verb in a label would let a stranger fill our memory and the Prometheus server's.
//
// The types make the compiler refuse a value that is missing here; docs/metrics.md is held equal by a test.

import type {
  CloseReason,
  LegFailure,
  Mode,
  PinholeCloseReason,
  PinholeFailure,
  ProtocolError,
  RefusalReason,
  RewriteKind,
  Side,
  UpstreamFailure,
} from '../../engine/contract.ts'
import type {
  BackendName,
  DataPath,
  FirewallChain,
  IntruderReason,
  PoolUse,
  RejectReason,
  TlsChannel,
  TlsFailure,
} from '../../vocabulary.ts'

/** A closed set: its values, each with a sentence for the operator. */
export type LabelSet<Value extends string> = Readonly<Record<Value, string>>

export type PinholeEnd = PinholeCloseReason | 'used' | 'expired' | 'abandoned'
export type TransferResult = 'ok' | 'failed' | 'reset'
export type CodeClass = '1xx' | '2xx' | '3xx' | '4xx' | '5xx' | '6xx' | 'invalid'
export type RewriteFailure = 'parse' | 'bounce' | 'port' | 'family' | 'pool' | 'backend'

export const sides: LabelSet<Side> = {
  client: 'towards the FTP client',
  server: 'towards the upstream FTP server',
}

export const modes: LabelSet<Mode> = {
  active: 'the server opens the data connection (PORT, EPRT), as the client sees it',
  passive: 'the client opens the data connection (PASV, EPSV), as the client sees it',
}

export const dataPaths: LabelSet<DataPath> = {
  relay: 'the bytes pass through this process',
  kernel:
    'the kernel forwards the bytes, counted by connection tracking every five seconds and when the connection ends',
}

export const backends: LabelSet<BackendName> = {
  relay: 'a listening port of this process',
  nftables: 'elements in our nftables table',
}

export const pools: LabelSet<PoolUse['pool']> = {
  client: 'data ports announced to clients',
  server: 'data ports announced to servers',
  shared: 'one range for both',
}

export const rejectReasons: LabelSet<RejectReason> = {
  limit: 'the listener has `limits.sessions` sessions',
  client_limit: 'this client address has `limits.sessionsPerClient` sessions',
  draining: 'the process is draining',
  no_destination: 'an intercepted connection whose original destination is unknown',
  loop: 'the destination is this proxy',
  proxy_header: 'a balancer of `proxyProtocol` sent no PROXY header, or a malformed one',
}

export const closeReasons: LabelSet<CloseReason> = {
  quit: 'the client said QUIT',
  client: 'the client closed or reset its control connection',
  server: 'the server closed or reset its control connection',
  idle: 'the client owed a command, or data did not move, for `limits.idle`',
  login_timeout: 'not logged in within `limits.login`',
  reply_timeout: 'the server owed an answer for `limits.reply`',
  transfer_timeout: 'a transfer did not begin within `limits.transfer`',
  drain: 'the process drained',
  operator: 'an operator ended it',
  protocol: 'a peer did not speak FTP, or broke it beyond repair',
  refusals: 'too many commands refused',
  upstream: 'no control connection to the server',
  error: 'a defect of this proxy; see the log',
}

export const upstreamFailures: LabelSet<UpstreamFailure> = {
  refused: 'connection refused',
  timeout: 'no answer within `limits.connect`',
  unreachable: 'no route to the host or network',
  resolve: 'the name has no address',
  self: 'the server would be this proxy',
  no_destination: 'nothing says where to connect',
  tls_refused: 'the server does not offer TLS, which is required',
  tls_failed: 'the TLS handshake failed',
  tls_certificate: 'the server’s certificate, its name or its key is not accepted',
  no_greeting: 'a server of a pool accepts and does not greet, or greets with a refusal',
  no_server: 'every server of the pool has its `maxSessions`',
  forbidden: 'a name that clients may use leads to an address that they may not',
  proxy_unreachable: 'the proxy of `via` cannot be reached, or does not answer',
  proxy_refused: 'the proxy of `via` does not accept us, or may not connect there',
}

export const refusalReasons: LabelSet<RefusalReason> = {
  not_ftp: 'the first line was not FTP (HTTP, TLS, SSH)',
  unknown_before_login: 'unknown verbs before login',
  login_required: 'a data endpoint before login, or a command that needs a server before USER has named one',
  line_too_long: 'a line over `limits.lineBytes`',
  control_characters: 'control characters in a command',
  syntax: 'an argument that no RFC allows',
  bounce: 'PORT or EPRT named another host',
  privileged_port: 'PORT or EPRT named a port below `policy.minPort`',
  family: 'an address family that this control connection cannot carry',
  epsv_all: 'PORT, PASV or EPRT after EPSV ALL',
  forbidden_verb: 'a verb that opens data paths we do not track',
  auth: 'AUTH or CCC where the policy forbids it',
  pasv_address: 'the server named another host',
  pasv_port: 'the server named a port that is not allowed',
  pasv_reply: 'no endpoint could be read from the server’s reply',
  upstream_refused: 'the server refused to set up the data channel',
  data_failed: 'the data connection could not be made',
  pinhole_expired: 'a transfer was asked for after its pinhole had expired',
  pinhole_exhausted: 'no data port is free',
  pinhole_share: 'this client holds its share of data ports',
  pinhole_backend: 'the pinhole backend failed',
  plaintext_after_auth: 'plaintext where TLS must start',
  tls_required: 'a command that needs TLS first',
  prot_required: 'a data connection without PROT P, which is required',
  prot_level: 'PROT or PBSZ that cannot be had, or out of order',
  auth_mechanism: 'AUTH with something else than TLS, or ADAT, MIC, CONF or ENC',
  auth_twice: 'AUTH on a connection that has TLS',
  auth_after_user: 'AUTH after a login has begun',
  ccc: 'CCC, which would end TLS on the control connection',
  rein: 'REIN on a session with TLS',
  upstream_prot: 'the server refused PROT',
  no_route: 'no route leads from this client, host or user to a server',
  host_name: 'HOST, with a name that is unknown, or not the one that TLS was asked for, or too late',
  destination: 'a server that clients of this listener may not name, or none at all',
  draining: 'the process is draining',
}

export const protocolErrors: LabelSet<ProtocolError> = {
  reply_too_long: 'a reply over 64 KiB or 1000 lines',
  bad_reply: 'a line that is no FTP reply',
  unsolicited_reply: 'a reply that nothing asked for',
  unsolicited_endpoint: 'a 227 or 229 that answers no PASV or EPSV of ours',
  server_closed_in_reply: 'the server closed in the middle of a reply',
  not_tls: 'something else than TLS where it passes through and must begin',
}

export const rewriteKinds: LabelSet<RewriteKind> = {
  port: 'PORT',
  eprt: 'EPRT',
  pasv_227: 'the 227 reply',
  epsv_229: 'the 229 reply',
}

export const rewriteFailures: LabelSet<RewriteFailure> = {
  parse: 'the endpoint could not be read',
  bounce: 'it named another host',
  port: 'it named a port that is not allowed',
  family: 'its address family cannot be used here',
  pool: 'no data port is free, or none for this client',
  backend: 'the pinhole backend failed',
}

export const codeClasses: LabelSet<CodeClass> = {
  '1xx': 'begun',
  '2xx': 'done',
  '3xx': 'more is needed',
  '4xx': 'failed for now',
  '5xx': 'failed',
  '6xx': 'protected (RFC 2228)',
  invalid: 'no such code',
}

export const pinholeFailures: LabelSet<PinholeFailure> = {
  exhausted: 'no data port is free',
  share: 'this client holds its share of data ports',
  backend: 'the backend failed',
}

export const pinholeEnds: LabelSet<PinholeEnd> = {
  used: 'the expected peer came',
  expired: 'the peer did not come within `pinholes.timeout`',
  abandoned:
    'the peer had not come for five seconds when the session or the transfer ended: one side gave up waiting',
  replaced: 'the client asked for another endpoint',
  refused: 'the server refused the command it was opened for',
  unused: 'the transfer ended without it',
  session_end: 'the session ended at once',
}

export const firewallChains: LabelSet<FirewallChain> = {
  input: 'data connections that end on this machine',
  forward: 'data connections that the kernel forwards',
}

export const intruderReasons: LabelSet<IntruderReason> = {
  wrong_peer: 'from an address that nothing expects here',
  late: 'the pinhole had closed',
  duplicate: 'the expected peer came a second time',
  proxy_header: 'a balancer of `proxyProtocol` sent no PROXY header, or a malformed one',
}

export const legFailures: LabelSet<LegFailure> = {
  refused: 'connection refused',
  timeout: 'no answer in time',
  unreachable: 'no route to the host or network',
  reset: 'reset while connecting',
  tls: 'the TLS handshake failed',
  not_resumed: 'it did not resume the TLS session of its control connection',
  truncated: 'it ended without close_notify',
}

export const tlsChannels: LabelSet<TlsChannel> = {
  control: 'on control connections',
  data: 'on data connections',
}

export const tlsProtocols: LabelSet<'TLSv1.2' | 'TLSv1.3'> = {
  'TLSv1.2': 'TLS 1.2',
  'TLSv1.3': 'TLS 1.3',
}

export const tlsResumed: LabelSet<'yes' | 'no'> = {
  yes: 'an earlier session was resumed',
  no: 'a full handshake',
}

export const tlsFailures: LabelSet<TlsFailure> = {
  not_tls: 'the peer spoke something else',
  version: 'no version in common',
  cipher: 'no cipher in common',
  alpn: 'the client listed protocols without ftp',
  server_name: 'the client asked for a name that no certificate has',
  certificate: 'the server’s certificate was not accepted, or a data connection showed another key',
  host_name: 'the server’s certificate has another name',
  pin: 'the server’s key is none of the pins',
  client_certificate: 'the client showed no certificate, or none that was accepted',
  not_resumed: 'the data connection did not resume its control connection’s session',
  closed: 'the peer closed the connection',
  timeout: 'not done within `limits.handshake`',
  alert: 'the peer sent an alert',
  other: 'anything else; the log has OpenSSL’s words',
}

export const transferResults: LabelSet<TransferResult> = {
  ok: 'a 2xx reply, and the data channel ended properly',
  failed: 'a 4xx or 5xx reply, or none at all',
  reset: 'the data channel was reset: the file is not complete',
}

/** The values of a closed set, in the order written there. */
export function valuesOf<Value extends string>(set: LabelSet<Value>): readonly Value[] {
  // Object.keys forgets the key type; the set's own type says that it has these keys and no others.
  return Object.keys(set) as Value[]
}

/** One thing for each value of a closed set. */
export function forEachValue<Value extends string, Thing>(
  set: LabelSet<Value>,
  make: (value: Value) => Thing,
): Readonly<Record<Value, Thing>> {
  // fromEntries forgets the key type; every value of the set was visited.
  return Object.fromEntries(valuesOf(set).map((value) => [value, make(value)])) as Record<Value, Thing>
}
