// The effective configuration: validated, defaults filled in, durations in milliseconds, addresses canonical.
// Every other room reads this type and nothing else; only `config/` knows YAML, zod and the environment.

import type { DestinationRule } from '../routing/destinations.ts'
import type { RouteRule } from '../routing/routes.ts'
import type { BackendName } from '../vocabulary.ts'

export interface Config {
  /** Pools of FTP servers. */
  readonly upstreams: readonly PoolConfig[]
  readonly listeners: readonly ListenerConfig[]
  readonly dataPorts: DataPortsConfig
  readonly pinholes: PinholesConfig
  readonly limits: LimitsConfig
  readonly policy: PolicyConfig
  /** Null switches the admin listener off. */
  readonly admin: AdminConfig | null
  readonly log: LogConfig
  readonly shutdown: { readonly drainTimeoutMs: number }
  /** Whether a changed file is taken up without a signal. */
  readonly reloadOnChange: boolean
  readonly workers: number
}

export interface AdminConfig {
  readonly listen: ListenAddress
  /** The file of the token that operators show; absent: sessions can only be looked at. */
  readonly token?: string | undefined
  /** Networks, canonical, that may ask for a drain without a token; absent: none. */
  readonly drainFrom?: readonly string[] | undefined
}

export interface LogConfig {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly format: 'json' | 'pretty'
  /** One line for each file transferred, in a file of its own; null or absent: none. */
  readonly transfers?: { readonly file: string; readonly format: 'json' | 'xferlog' } | null
}

export interface PinholesConfig {
  readonly backend: BackendName
  readonly timeoutMs: number
  /** The mark of what we bring through the firewall, for conntrack and policy routing; default 0xf7. */
  readonly mark?: number
  /** The name of our tables, default `ftp_alg`; instances in one network namespace have one each. */
  readonly table?: string
  /** Sets of the administrator's own to which each pinhole is added, as in `inet filter ftp_data`. */
  readonly admit?: { readonly ipv4: string | null; readonly ipv6: string | null }
}

export interface ListenAddress {
  /** Literal IP address, or a path for a Unix socket is not allowed here. */
  readonly address: string
  /** 0 lets the system choose. */
  readonly port: number
}

export type UpstreamVerb = 'PASV' | 'EPSV' | 'PORT' | 'EPRT'

export type UpstreamMode = 'client' | 'passive' | 'active'

/** FTP servers of which a client gets one. */
export interface PoolConfig {
  readonly name: string
  /** At least one. */
  readonly servers: readonly PoolServerConfig[]
  readonly balance: 'first' | 'roundRobin' | 'leastSessions' | 'clientHash'
  /** Null: what sessions meet is all that is known. */
  readonly health: HealthConfig | null
  /** How the server learns who the client is. */
  readonly proxyProtocol: 'off' | 'v1' | 'v2'
  /** The proxy through which its servers are reached; null: directly. */
  readonly via: ViaConfig | null
  /** How long a server that came back takes to its whole weight; absent: no time. */
  readonly slowStartMs?: number | undefined
  /** Of a control connection; absent: `limits.connect`. */
  readonly connectMs?: number | undefined
  /** These three in place of the listener's; absent: as that has it. */
  readonly upstreamMode?: UpstreamMode | undefined
  readonly upstreamVerbs?: readonly UpstreamVerb[] | undefined
  /** Null: in clear. */
  readonly upstreamTls?: UpstreamTlsConfig | null | undefined
}

export interface ViaConfig {
  readonly protocol: 'socks5' | 'http'
  readonly host: string
  readonly port: number
  readonly credentials: { readonly user: string; readonly password: string } | null
}

export interface PoolServerConfig {
  readonly host: string
  /** `host` is the name of a service (SRV), which has hosts and ports; `port` is 0. */
  readonly isSrv?: boolean | undefined
  readonly port: number
  readonly weight: number
  /** Used only while no other can be. */
  readonly backup: boolean
  readonly maxSessions: number | null
}

export interface HealthConfig {
  readonly intervalMs: number
  readonly timeoutMs: number
  readonly expect: 'connect' | 'greeting' | 'login'
  /** Whom a check logs in as, and the file of the password; both where `expect` is login, else neither. */
  readonly user?: string | undefined
  readonly passwordFile?: string | undefined
  /** Checks in a row after which a server is up again, or down. */
  readonly rise: number
  readonly fall: number
}

export interface ListenerConfig {
  readonly name: string
  readonly listen: ListenAddress
  readonly intercept: 'none' | 'redirect' | 'tproxy'
  /** Balancers, as networks in canonical text, that say in a PROXY header who the client is. */
  readonly proxyProtocol: { readonly from: readonly string[] }
  /** Which connections `ftp-alg firewall` brings here; absent: to port 21, from every interface. */
  readonly matches?: { readonly ports: readonly number[]; readonly interfaces: readonly string[] }
  /** Null only when the destination comes from interception, or from a route. */
  readonly upstream: { readonly host: string; readonly port: number } | null
  /** The pool that `upstream` names; absent: it is a server. */
  readonly pool?: string
  /** The first that matches wins; a client of none goes to `upstream`, or is refused where that is null. Absent: none. */
  readonly routes?: readonly RouteConfig[]
  /** The client names its server. Absent: it does not. */
  readonly login?: LoginConfig
  /** The address that the server sees as its client. */
  readonly source: 'proxy' | 'client'
  readonly upstreamMode: UpstreamMode
  /** The verbs that the server is asked with, in order; empty: the client's own, or what a conversion needs. */
  readonly upstreamVerbs: readonly UpstreamVerb[]
  /** After this much silence of the client in a transfer, we send NOOP in its place; null: never. */
  readonly upstreamKeepAliveMs: number | null
  /** The port from which clients in active mode are called, or null for any; without interception. */
  readonly activeSourcePort: number | null
  readonly advertise: {
    readonly clients: readonly AdvertiseRule[]
    readonly servers: readonly AdvertiseRule[]
  }
  /** Absent: off. */
  readonly tls?: ListenerTlsConfig
  /** TLS is between client and server alone, by AUTH TLS or from the first byte. Absent: it is not. */
  readonly passthrough?: 'explicit' | 'implicit'
  /** Absent: off. */
  readonly upstreamTls?: UpstreamTlsConfig
}

/** A forward proxy: who may use it, and for what. Neither list is empty. */
export interface LoginConfig {
  /** Networks in canonical text. */
  readonly clients: readonly string[]
  readonly destinations: readonly DestinationRule[]
}

/** Clients that go to a server of their own. */
export interface RouteConfig extends RouteRule {
  readonly upstream: { readonly host: string; readonly port: number }
  /** As of a listener. */
  readonly pool?: string
}

/** First match wins; no match means our own address on that control connection. */
export interface AdvertiseRule {
  /** CIDR in canonical text, or `any`. */
  readonly to: string
  /** A literal address, or a DNS name resolved again as its TTL passes. */
  readonly address: string
}

export interface DataPortsConfig {
  readonly client: PortRangeConfig
  readonly server: PortRangeConfig
  /** One pool serves both sides. */
  readonly shared: boolean
}

export interface PortRangeConfig {
  /** Ports we listen on, inclusive, already cut to this instance's slice. */
  readonly first: number
  readonly last: number
  /** What is added to a port when it is announced: a balancer maps 40000 to 30000 with offset 10000. */
  readonly announceOffset: number
}

export interface LimitsConfig {
  readonly sessions: number
  readonly sessionsPerClient: number
  /** A client that owes a command. */
  readonly idleMs: number
  /** A server that owes an answer. */
  readonly replyMs: number
  /** A transfer that was asked for and does not begin. */
  readonly transferMs: number
  readonly connectMs: number
  readonly loginMs: number
  /** One TLS handshake. */
  readonly handshakeMs: number
  readonly lineBytes: number
  readonly refusals: number
  /** Pinholes that one client may hold at once in a pool whose expected peer is a shared server; null: half the range. */
  readonly pinholesPerClient: number | null
}

export interface PolicyConfig {
  readonly bounce: 'refuse' | 'use-control-peer'
  /** Allow-listed networks in canonical CIDR text when it is a list. */
  readonly pasvAddress: 'control-peer' | 'must-match' | readonly string[]
  readonly minPort: number
  /** Networks, canonical, whose data connections are taken for the control peer's. */
  readonly dataPeers: { readonly clients: readonly string[]; readonly servers: readonly string[] }
  /** Networks, canonical, of servers that clients may transfer with. */
  readonly fxp: readonly string[]
}

export type TlsVersion = 'TLSv1.2' | 'TLSv1.3'

/** Lists as OpenSSL writes them; null is its default. */
export interface CiphersConfig {
  readonly tls12: string | null
  readonly tls13: string | null
}

/** TLS towards clients. */
export interface ListenerTlsConfig {
  readonly mode: 'optional' | 'required' | 'implicit'
  /** The first is the default, SNI chooses among them. */
  readonly certificates: readonly { readonly certificate: string; readonly key: string }[]
  readonly minVersion: TlsVersion
  readonly ciphers: CiphersConfig
  /** `client`: as its PROT says. */
  readonly dataProtection: 'client' | 'required' | 'never'
  /** Whether a data connection must resume the session of its control connection. */
  readonly dataReuse: 'required' | 'offered' | 'off'
  /** What a FIN without close_notify means to a file. */
  readonly truncation: 'refuse' | 'accept'
  readonly ccc: 'refuse' | 'allow'
  readonly clientCertificates: 'off' | 'optional' | 'required'
  readonly clientCa: string | null
  readonly clientCrl: string | null
  readonly unknownNames: 'default' | 'refuse'
  readonly alpn: 'strict' | 'ignore'
}

/** TLS towards the server. */
export interface UpstreamTlsConfig {
  readonly mode: 'as-client' | 'optional' | 'required' | 'implicit'
  /** `full` is chain and name. */
  readonly verify: 'full' | 'chain' | 'pin' | 'none'
  /** Null: the roots that Node carries, and those of NODE_EXTRA_CA_CERTS. */
  readonly ca: string | null
  /** Null: the host of `upstream`. */
  readonly name: string | null
  readonly pins: readonly string[]
  readonly certificate: string | null
  readonly key: string | null
  readonly minVersion: TlsVersion
  readonly ciphers: CiphersConfig
  readonly dataProtection: 'as-client' | 'required' | 'never'
  readonly truncation: 'refuse' | 'accept'
}
