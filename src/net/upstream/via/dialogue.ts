// What SOCKS5 and HTTP CONNECT have in common: we ask a proxy for a connection to somewhere else, and it says how that went.

import type { UpstreamFailure } from '../../../engine/contract.ts'

/** Where the proxy connects for us. It resolves a host that is a name. */
export interface TunnelTarget {
  /** A name, or an address without brackets. */
  readonly host: string
  readonly port: number
}

export interface ProxyCredentials {
  readonly user: string
  readonly password: string
}

export interface TunnelDialogue {
  /** What we say first. */
  readonly opening: Buffer
  /** Reads everything that the proxy has said so far, each time there is more. */
  read(bytes: Buffer): TunnelStep | null
}

/** `open`: what stands after `length` bytes is the server's. */
export type TunnelStep =
  | { readonly type: 'say'; readonly bytes: Buffer }
  | { readonly type: 'open'; readonly length: number }
  | { readonly type: 'refused'; readonly reason: UpstreamFailure; readonly detail: string }

export function refused(reason: UpstreamFailure, detail: string): TunnelStep {
  return { type: 'refused', reason, detail }
}
