// The end of a daemon. Node's own way out waits for the threads that compile JavaScript, and those may be waiting for the
// thread that has ended (nodejs/node#54918): a process that has said good-bye would stay until it is killed.

import { loadLibc } from '../kernel/libc.ts'

/** Ends the process at once; call it when everything is closed and written. Without koffi it is Node's `process.exit`. */
export async function endProcess(exitCode: number): Promise<void> {
  try {
    const libc = await loadLibc()
    libc.exit(exitCode)
  } catch {
    process.exit(exitCode)
  }
}
