// Pipes for bytes that the kernel moves from one leg to the other. What they need is loaded when the first large
// transfer asks, and stays away where it cannot be had: then every transfer is copied.

import { loadSplice, Pipe, type SpliceCalls } from '../kernel/splice.ts'

/** 32 MiB and 64 descriptors at most; transfers beyond it are copied. */
const MAX_PIPES = 32

let calls: SpliceCalls | null = null
let loading: Promise<void> | null = null
let taken = 0

/** Null as long as the calls are not loaded, where there are none, and while all pipes are in use. */
export function takePipe(): Pipe | null {
  if (calls === null) void preparePipes()
  if (calls === null || taken >= MAX_PIPES) return null
  const pipe = Pipe.open(calls)
  if (pipe !== null) taken += 1
  return pipe
}

/** Closes it: making another costs some ten microseconds. */
export function returnPipe(pipe: Pipe): void {
  taken -= 1
  pipe.close()
}

/** Loads the calls; afterwards `takePipe` may give pipes. Says whether there are any. */
export async function preparePipes(): Promise<boolean> {
  loading ??= loadSplice().then((loaded) => {
    calls = loaded
  })
  await loading
  return calls !== null
}
