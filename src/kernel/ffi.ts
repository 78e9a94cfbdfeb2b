// The door to C. koffi is an optional dependency and only Linux has what lies behind it, so it is imported when
// a configuration first asks for a kernel feature and never before.

import type { LibraryHandle, TypeObject } from 'koffi'
import { AlgError } from '../errors.ts'

/** The part of koffi that this room uses. */
export interface Ffi {
  /** A shared library by name, or the process's own symbols (libc) for null; throws when it is absent. */
  load(library: string | null): LibraryHandle
  /** `errno` of the last call made through koffi. */
  errno(): number
  /** Where a buffer's first byte is in memory, for structures that carry pointers. */
  address(buffer: Uint8Array): bigint
  /** The type of a function that C calls. */
  proto(result: string, values: string[]): TypeObject
  pointer(type: TypeObject): TypeObject
  /** Makes a function callable from C, for good. */
  register(call: (...values: never[]) => unknown, type: TypeObject): bigint
  /** Reads `length` values of C memory. */
  decode(pointer: bigint, type: string, length: number): unknown
  /** Writes one value into C memory. */
  encode(pointer: bigint, type: string, value: unknown): void
}

/** Where koffi comes from; replaced only by tests. */
export interface FfiSource {
  readonly platform: string
  readonly importKoffi: () => Promise<Ffi>
}

/**
 * Loads koffi.
 *
 * Errors: `AlgError` KERNEL_FEATURE_MISSING (exit 3) off Linux, when koffi is not installed, or when it has no
 * prebuilt binary for this processor.
 */
export async function loadFfi(source: FfiSource = installed): Promise<Ffi> {
  if (source.platform !== 'linux') {
    throw new AlgError(
      'KERNEL_FEATURE_MISSING',
      `interception, kernel pinholes and TLS need Linux, this is ${source.platform}: use intercept none, the relay backend and no tls`,
      { context: { platform: source.platform } },
    )
  }
  try {
    return await source.importKoffi()
  } catch (cause) {
    throw new AlgError(
      'KERNEL_FEATURE_MISSING',
      `interception, kernel pinholes and TLS need the optional package koffi, which cannot be loaded (${messageOf(cause)}): run npm install koffi beside ftp-alg`,
      { context: { package: 'koffi', arch: process.arch }, cause },
    )
  }
}

const installed: FfiSource = { platform: process.platform, importKoffi: () => import('koffi') }

/** The first line: module loading errors go on with a require stack. */
function messageOf(cause: unknown): string {
  const message = cause instanceof Error ? cause.message : String(cause)
  return message.split('\n', 1)[0] ?? message
}
