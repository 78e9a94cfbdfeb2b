import { AlgError } from '../errors.ts'
import { type Libc, loadLibc } from '../kernel/libc.ts'
import { askRoutingTable } from '../kernel/own-addresses.ts'
import { Tcp } from './tcp.ts'

export interface OpenTcp {
  readonly tcp: Tcp
  /** Null without koffi. */
  readonly libc: Libc | null
}

/**
 * Opens the best TCP that this machine has. `isRequired`: something that is configured works with epoll only.
 *
 * Errors: `AlgError` KERNEL_FEATURE_MISSING, when it is required and there is none.
 */
export async function openTcp({ isRequired }: { readonly isRequired: boolean }): Promise<OpenTcp> {
  let libc: Libc | null = null
  let whyNoLibc = ''
  try {
    libc = await loadLibc()
    askRoutingTable(libc)
  } catch (error) {
    if (isRequired) throw error
    whyNoLibc = error instanceof Error ? error.message : String(error)
  }
  const tcp = new Tcp({ libc, whyNoLibc })
  const { implementation, reason } = tcp.choice
  if (isRequired && implementation !== 'epoll') {
    throw new AlgError('KERNEL_FEATURE_MISSING', `interception and TLS need epoll(7): ${reason}`)
  }
  return { tcp, libc }
}
