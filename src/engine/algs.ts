// What an IPv6 client may tell a translator on its way to an IPv4 server (RFC 6384). Our endpoints are always ours;
// "translation" here is whether EPSV and EPRT become PASV and PORT, or go to the server as they are.

import { familyOf } from '../ftp/addresses.ts'
import type { Command } from '../ftp/commands.ts'
import type { RefusalReason } from './contract.ts'

/** What a command gets that is answered here and never passed on. */
export type AlgAnswer =
  | { readonly type: 'reply'; readonly text: string }
  | { readonly type: 'refusal'; readonly reason: RefusalReason; readonly text: string }

/** The state that ALGS switches, of one session. */
export class Algs {
  #isTranslating = true

  /** EPSV becomes PASV and EPRT becomes PORT. */
  get isTranslating(): boolean {
    return this.#isTranslating
  }

  /**
   * The answer to ALGS, `EPSV ALL` and EPSV for another protocol than IPv6; null for everything else.
   *
   * `'ALGS STATUS64'` gives `216 EPSVEPRT …`, `'EPSV ALL'` 504, `'EPSV 1'` 522.
   * @see RFC 6384 §6, §11
   */
  answer({ verb, argument }: Command): AlgAnswer | null {
    const wanted = argument.trim().toUpperCase()
    if (verb === 'ALGS') return this.#switch(wanted)
    if (verb !== 'EPSV' || !this.#isTranslating) return null
    if (wanted === 'ALL') {
      return { type: 'refusal', reason: 'epsv_all', text: '504 EPSV ALL cannot be kept by a translator.' }
    }
    if (/^\d+$/.test(wanted) && wanted !== '2') {
      return { type: 'refusal', reason: 'family', text: '522 Network protocol not supported, use (2)' }
    }
    return null
  }

  #switch(wanted: string): AlgAnswer {
    switch (wanted) {
      case 'STATUS64':
        break
      case 'ENABLE64':
        this.#isTranslating = true
        break
      case 'DISABLE64':
        this.#isTranslating = false
        break
      default:
        return { type: 'refusal', reason: 'syntax', text: '504 ALGS takes STATUS64, ENABLE64 or DISABLE64.' }
    }
    const text = this.#isTranslating
      ? '216 EPSVEPRT EPSV and EPRT are translated.'
      : '216 NONE Nothing is translated.'
    return { type: 'reply', text }
  }
}

/** Whether RFC 6384 speaks of this session. Addresses are canonical. */
export function needsTranslation({
  client,
  server,
}: {
  readonly client: string
  readonly server: string
}): boolean {
  return familyOf(client) === 6 && familyOf(server) === 4
}
