// Pipes for bytes that the kernel moves from one leg to the other.

import { Pipe, type PipeCalls } from './pipe.ts'

/** 32 MiB and 64 descriptors at most; transfers beyond it are copied. */
const MAX_PIPES = 32

let taken = 0

/** Null when all are in use, or the kernel refuses. */
export function takePipe(calls: PipeCalls): Pipe | null {
  if (taken >= MAX_PIPES) return null
  const pipe = Pipe.open(calls)
  if (pipe !== null) taken += 1
  return pipe
}

/** Closes it: making another costs some ten microseconds. */
export function returnPipe(pipe: Pipe): void {
  taken -= 1
  pipe.close()
}
