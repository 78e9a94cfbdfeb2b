// nft without the program: libnftables in this process, the same language and messages, no shell and no child.
//
// For whole tables and questions. The elements of a pinhole go another way (nft-elements.ts), because this
// library reads back every table and set of the machine before each command: 140 µs on an empty machine, 4 ms
// beside an administrator's fifty tables.

import { AlgError, type ErrorCode } from '../errors.ts'
import { type Ffi, loadFfi } from './ffi.ts'

/** One libnftables context. */
export interface Nft {
  /**
   * Carries out commands in nft's language as one transaction, all or nothing, and gives what nft would print.
   *
   * Errors: `AlgError` with `code`, or PRIVILEGE_MISSING; the message is nft's own.
   */
  run(commands: string, code?: ErrorCode): string
  /** As `run`, printed as JSON (libnftables-json(5)). */
  json(commands: string): unknown
  /** Lets the kernel judge the commands without carrying them out: null when it would accept them, else why not. */
  refusal(commands: string): string | null
  /** Frees the context. Any number of times; also done at exit. */
  close(): void
}

/** Errors: KERNEL_FEATURE_MISSING when koffi or libnftables.so.1 is absent. */
export async function openNft(): Promise<Nft> {
  return new LibNft(bindCalls(await loadFfi()))
}

type Context = unknown

interface Calls {
  readonly create: (flags: number) => Context
  readonly bufferOutput: (context: Context) => number
  readonly bufferError: (context: Context) => number
  readonly output: (context: Context) => string
  readonly error: (context: Context) => string
  readonly runCommands: (context: Context, commands: string) => number
  readonly setOutputFlags: (context: Context, flags: number) => void
  readonly setDryRun: (context: Context, dry: boolean) => void
  readonly free: (context: Context) => void
}

const OUTPUT_JSON = 1 << 4

class LibNft implements Nft {
  readonly #calls: Calls
  #context: Context | null

  constructor(calls: Calls) {
    this.#calls = calls
    this.#context = calls.create(0)
    calls.bufferOutput(this.#context)
    calls.bufferError(this.#context)
    // A context that outlives its library makes Node end in SIGSEGV.
    process.once('exit', this.close)
  }

  run(commands: string, code: ErrorCode = 'RUNTIME_FAILED'): string {
    const { failed, output, error } = this.#execute(commands)
    if (!failed) return output
    if (/Operation not permitted/.test(error)) {
      throw new AlgError('PRIVILEGE_MISSING', `nft: ${error} (it needs CAP_NET_ADMIN)`, {
        context: { error },
      })
    }
    throw new AlgError(code, `nft: ${error}`, { context: { error } })
  }

  json(commands: string): unknown {
    this.#calls.setOutputFlags(this.#context, OUTPUT_JSON)
    try {
      return JSON.parse(this.run(commands))
    } finally {
      this.#calls.setOutputFlags(this.#context, 0)
    }
  }

  refusal(commands: string): string | null {
    this.#calls.setDryRun(this.#context, true)
    try {
      const { failed, error } = this.#execute(commands)
      return failed ? error : null
    } finally {
      this.#calls.setDryRun(this.#context, false)
    }
  }

  /** An arrow, because it is also the exit listener. */
  readonly close = (): void => {
    if (this.#context === null) return
    process.removeListener('exit', this.close)
    this.#calls.free(this.#context)
    this.#context = null
  }

  #execute(commands: string): { failed: boolean; output: string; error: string } {
    if (this.#context === null) throw new Error('the libnftables context is closed')
    const failed = this.#calls.runCommands(this.#context, commands) !== 0
    // Both are read every time: unread error text is freed twice at exit (libnftables 1.0.6), a SIGSEGV.
    const output = this.#calls.output(this.#context)
    const error = this.#calls.error(this.#context)
    return { failed, output, error: error.trim() || 'failed without a message' }
  }
}

function bindCalls(ffi: Ffi): Calls {
  const library = loadLibrary(ffi)
  return {
    create: library.func('void *nft_ctx_new(uint32_t flags)'),
    bufferOutput: library.func('int nft_ctx_buffer_output(void *ctx)'),
    bufferError: library.func('int nft_ctx_buffer_error(void *ctx)'),
    output: library.func('const char *nft_ctx_get_output_buffer(void *ctx)'),
    error: library.func('const char *nft_ctx_get_error_buffer(void *ctx)'),
    runCommands: library.func('int nft_run_cmd_from_buffer(void *ctx, const char *commands)'),
    setOutputFlags: library.func('void nft_ctx_output_set_flags(void *ctx, unsigned int flags)'),
    setDryRun: library.func('void nft_ctx_set_dry_run(void *ctx, bool dry)'),
    free: library.func('void nft_ctx_free(void *ctx)'),
  }
}

function loadLibrary(ffi: Ffi): ReturnType<Ffi['load']> {
  try {
    return ffi.load('libnftables.so.1')
  } catch (cause) {
    throw new AlgError(
      'KERNEL_FEATURE_MISSING',
      'libnftables.so.1 cannot be loaded: install it (Debian, Ubuntu: apt-get install libnftables1; Fedora: dnf install nftables; Alpine: apk add nftables)',
      { context: { library: 'libnftables.so.1' }, cause },
    )
  }
}
