// What a check has to say.

import type { Config } from '../../config/config.ts'
import { hasForeignSockets } from '../../firewall/table-names.ts'

export interface Finding {
  /** One or two words: what was looked at. */
  readonly check: string
  /** `warn`: works, with a catch. `fail`: what the configuration asks for will not work. */
  readonly state: 'ok' | 'warn' | 'fail'
  readonly found: string
  /** A command to run, or what to change. Always there unless all is well. */
  readonly cure?: string
  /** It fails for want of a privilege. */
  readonly isPrivilege?: true
}

/** What a configuration asks of the kernel. */
export interface Needs {
  readonly redirect: boolean
  readonly tproxy: boolean
  /** Sockets of ours have addresses of other machines. */
  readonly foreignSockets: boolean
  /** Packets pass this machine without ending in a socket of ours. */
  readonly forwarding: boolean
  /** Anything that goes through koffi and needs CAP_NET_ADMIN. */
  readonly kernel: boolean
}

export function needsOf({ listeners, pinholes }: Config): Needs {
  const redirect = listeners.some(({ intercept }) => intercept === 'redirect')
  const tproxy = listeners.some(({ intercept }) => intercept === 'tproxy')
  const foreignSockets = listeners.some(hasForeignSockets)
  const forwarding = pinholes.backend === 'nftables'
  const kernel = redirect || foreignSockets || forwarding
  return { redirect, tproxy, foreignSockets, forwarding, kernel }
}

export function ok(check: string, found: string): Finding {
  return { check, state: 'ok', found }
}

export function warn(check: string, found: string, cure: string): Finding {
  return { check, state: 'warn', found, cure }
}

export function fail(check: string, found: string, cure: string): Finding {
  return { check, state: 'fail', found, cure }
}

/** Fails for want of a privilege, which has an exit code of its own. */
export function forbidden(check: string, found: string, cure: string): Finding {
  return { ...fail(check, found, cure), isPrivilege: true }
}
