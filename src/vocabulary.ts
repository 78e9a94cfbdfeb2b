// The few words that many rooms share. Types only, so that every room may read it.

/** Who moves the bytes of a data channel: a relay of ours, or the kernel by nftables. */
export type BackendName = 'relay' | 'nftables'

export type DataPath = 'relay' | 'kernel'

/** Why a client was sent away with 421 before it had a session. */
export type RejectReason = 'limit' | 'client_limit' | 'draining' | 'no_destination' | 'loop' | 'proxy_header'

/** Why a connection to a data port of ours was reset. */
export type IntruderReason = 'wrong_peer' | 'late' | 'duplicate' | 'proxy_header'

/** The hook of a firewall chain that is not ours, and that data connections pass. */
export type FirewallChain = 'input' | 'forward'

/** Who reads and writes our TCP connections: system calls of our own with epoll(7), or Node's sockets. */
export type TcpImplementation = 'epoll' | 'node'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

/** A server of a pool of FTP servers, or all that have its name: figures for metrics and the status page. */
export interface PoolServerUse {
  readonly pool: string
  /** `HOST:PORT`, as configured. */
  readonly server: string
  /** One of them at least. */
  readonly isUp: boolean
  readonly isBackup: boolean
  readonly sessions: number
  /** Sessions and checks that failed there. */
  readonly failures: number
}

/** What a check of a server found, as the processes of one service tell each other. */
export interface PoolCheck {
  readonly pool: string
  /** Unique in the pool. */
  readonly server: string
  /** Null: none. */
  readonly problem: string | null
}

export interface PoolUpstreamUse {
  readonly pool: string
  /** Times that a session went on to another server. */
  readonly failovers: number
  readonly servers: readonly PoolServerUse[]
}

/** A port pool's figures for metrics and the status page. */
export interface PoolUse {
  readonly pool: 'client' | 'server' | 'shared'
  readonly ports: number
  readonly inUse: number
  readonly quarantined: number
}

/** Why a TLS handshake failed. */
export type TlsFailure =
  | 'not_tls'
  | 'version'
  | 'cipher'
  | 'alpn'
  | 'server_name'
  | 'certificate'
  | 'host_name'
  | 'pin'
  | 'client_certificate'
  | 'not_resumed'
  | 'closed'
  | 'timeout'
  | 'alert'
  | 'other'

/** A certificate that a listener shows, to its clients or to its server. */
export interface CertificateUse {
  readonly listener: string
  readonly side: 'client' | 'server'
  /** Where it was read. */
  readonly file: string
  /** `CN=ftp.example.net`, of whichever certificate of the chain ends first. */
  readonly subject: string
  /** Unix time, in milliseconds. */
  readonly expiresMs: number
}

export type TlsChannel = 'control' | 'data'

/** What a session reports of TLS on one of its sides. */
export type TlsReport =
  | {
      readonly type: 'secured'
      readonly channel: TlsChannel
      readonly protocol: 'TLSv1.2' | 'TLSv1.3'
      readonly cipher: string
      readonly isResumed: boolean
      /** What the client asked for, or we did. */
      readonly serverName: string | null
      readonly durationMs: number
    }
  | {
      readonly type: 'failed'
      readonly channel: TlsChannel
      readonly reason: TlsFailure
      readonly detail: string
    }
  /** A data connection ended without close_notify. */
  | { readonly type: 'truncated' }
  /** The peer sends TLS without data, too much of it. */
  | { readonly type: 'flooded' }
  /** The session goes on in clear with a server that refused AUTH. */
  | { readonly type: 'downgraded'; readonly detail: string }
