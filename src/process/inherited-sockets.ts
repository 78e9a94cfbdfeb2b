// Listening sockets that were opened for us: a systemd socket unit, which can bind port 21 and set
// IP_TRANSPARENT, so that the service itself needs no capability for either.
//
// @see sd_listen_fds(3), systemd.socket(5) under FileDescriptorName= and Transparent=

import { AlgError } from '../errors.ts'

export interface InheritedSocket {
  /** For `server.listen({ fd })`. */
  readonly fd: number
  /** `FileDescriptorName=` of the socket unit: the listener that it is for, `default`, or `admin`. */
  readonly name: string
}

/** Who they are for, and where they begin. */
export interface InheritedBy {
  /** Default: this process. */
  readonly pid?: number
  /** Default 3, where systemd puts the first one. */
  readonly firstFd?: number
}

/** In a worker the channel to the supervisor is 3. */
export const FIRST_FD_IN_WORKER = 4

/**
 * Reads LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES.
 *
 * `{ LISTEN_PID: '7', LISTEN_FDS: '2', LISTEN_FDNAMES: 'edge:admin' }` gives process 7
 * `[{ fd: 3, name: 'edge' }, { fd: 4, name: 'admin' }]` and any other process none. Without names each is called
 * `unknown`.
 *
 * Errors: `AlgError` USAGE_INVALID when the variables are for us and contradict themselves.
 */
export function inheritedSockets(
  environment: Readonly<Record<string, string | undefined>>,
  { pid = process.pid, firstFd = 3 }: InheritedBy = {},
): readonly InheritedSocket[] {
  const { LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES } = environment
  if (LISTEN_PID !== String(pid) || LISTEN_FDS === undefined) return []
  if (!/^(0|[1-9][0-9]{0,3})$/.test(LISTEN_FDS)) {
    throw new AlgError(
      'USAGE_INVALID',
      `LISTEN_FDS: is not a number of sockets (given ${LISTEN_FDS}, allowed 0 to 9999)`,
    )
  }
  const count = Number(LISTEN_FDS)
  const names = LISTEN_FDNAMES === undefined ? null : LISTEN_FDNAMES.split(':')
  if (names !== null && names.length !== count) {
    throw new AlgError(
      'USAGE_INVALID',
      `LISTEN_FDNAMES: names ${names.length} sockets (given ${LISTEN_FDNAMES}, allowed ${count}, as LISTEN_FDS says)`,
    )
  }
  return Array.from({ length: count }, (_, index) => ({
    fd: firstFd + index,
    name: names?.[index] ?? 'unknown',
  }))
}
