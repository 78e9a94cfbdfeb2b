import type { ListenerConfig } from '../../config/config.ts'
import type { Libc } from '../../kernel/libc.ts'

export interface TakeOverOptions {
  /** Listening descriptors that the service manager opened for us, by listener name (`unknown`: for the only one). */
  readonly inherited: readonly { readonly name: string; readonly fd: number }[]
  readonly isOnly: boolean
  readonly libc: Libc | null
  /** Several processes listen there, each for itself. */
  readonly isShared: boolean
}

/** A socket that was opened for us, or one that takes connections to addresses that are not ours (tproxy). */
export async function takeOver(
  { name, intercept, listen }: ListenerConfig,
  { inherited, isOnly, libc, isShared }: TakeOverOptions,
): Promise<{ readonly openFd?: () => number }> {
  const given = inherited.find((each) => each.name === name || (isOnly && each.name === 'unknown'))
  if (given !== undefined) return { openFd: () => given.fd }
  if (intercept !== 'tproxy' || libc === null) return {}
  const { openTransparentListener } = await import('../../kernel/transparent.ts')
  return { openFd: () => openTransparentListener(libc, listen, { isShared }).fd }
}
