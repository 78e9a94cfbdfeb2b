// The world failed: a port was taken, a kernel call refused, a file unreadable. What a *peer* got wrong is
// never thrown: it is a value that the engine turns into a reply.

/**
 * Every code an `AlgError` can carry, with what it means to the FTP client of the session it ends
 * (`reply`, absent where no client is involved) and to the process (`exit`, for errors at start).
 */
export const errorCodes = {
  CONFIG_INVALID: { exit: 2 },
  USAGE_INVALID: { exit: 2 },
  PRIVILEGE_MISSING: { exit: 3 },
  KERNEL_FEATURE_MISSING: { exit: 3 },
  LISTEN_FAILED: { exit: 1 },
  RUNTIME_FAILED: { exit: 1 },
  UPSTREAM_UNREACHABLE: { reply: 421 },
  UPSTREAM_IS_SELF: { reply: 421 },
  PORT_RANGE_EXHAUSTED: { reply: 425 },
  CLIENT_SHARE_EXHAUSTED: { reply: 425 },
  PINHOLE_FAILED: { reply: 425 },
} as const satisfies Record<string, { readonly exit?: 1 | 2 | 3; readonly reply?: 421 | 425 }>

export type ErrorCode = keyof typeof errorCodes

export interface AlgErrorOptions {
  /** The values that explain the failure; they become fields of the log line. */
  readonly context?: Readonly<Record<string, unknown>>
  readonly cause?: unknown
}

/** A failure outside the protocol. The message names the value and what is allowed. */
export class AlgError extends Error {
  override readonly name = 'AlgError'
  readonly code: ErrorCode
  readonly context: Readonly<Record<string, unknown>>

  constructor(code: ErrorCode, message: string, options: AlgErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.context = options.context ?? {}
  }

  /** The process's exit code when this error stops the start: 1, 2 or 3. */
  get exitCode(): 1 | 2 | 3 {
    const entry = errorCodes[this.code]
    return 'exit' in entry ? entry.exit : 1
  }
}

/** Ends a `switch` over a union: the compiler proves it unreachable, a wrong cast is caught at run time. */
export function assertNever(value: never): never {
  throw new Error(`unexpected variant: ${JSON.stringify(value)}`)
}
