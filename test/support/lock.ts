import { startProgram } from './programs.ts'

/**
 * Waits up to 15 minutes until no other process holds the lock of this name, and holds it until the function that it
 * gives is called or this process ends, however it ends.
 */
export async function holdLock(path: string): Promise<() => Promise<void>> {
  // One process from start to end: what is killed is what holds the lock.
  const holder = startProgram(['flock', '--no-fork', path, 'sh', '-c', 'echo held; exec sleep infinity'])
  await holder.waitForOutput(/^held$/m, { what: `the lock ${path}`, timeoutMs: 900_000 })
  return holder.kill
}
