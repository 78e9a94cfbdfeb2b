// `ftp-alg status`: what the status page shows, in a terminal.

import type { ConfigSources } from '../config/load.ts'
import { AlgError } from '../errors.ts'
import { escapeUnsafeCharacters } from '../observe/log/text.ts'
import { withControlPictures } from '../observe/view/wording.ts'
import { adminAddress } from './status/admin-address.ts'
import { askAdmin, type Snapshot } from './status/ask-admin.ts'
import { type PrintOptions, printStatus } from './status/print.ts'

export interface StatusRequest {
  /** `--admin ADDR:PORT`, `--config FILE` and their variables; by default 127.0.0.1:9121. */
  readonly sources: ConfigSources
  /** Everything that the admin listener knows, as one JSON object. */
  readonly json: boolean
  /** A terminal's width and colours are used where it is one. */
  readonly stdout: { write(text: string): unknown; readonly isTTY?: boolean; readonly columns?: number }
}

/**
 * Prints state, listeners, sessions, pinholes, data ports and refusals of the process behind an admin listener. Gives
 * the exit code 0.
 *
 * Errors: `AlgError` RUNTIME_FAILED when there is no answer, or not one of ftp-alg; USAGE_INVALID, CONFIG_INVALID.
 */
export async function status({ sources, json, stdout }: StatusRequest): Promise<0> {
  const snapshot = await askAdmin(adminAddress(sources))
  if (json) {
    stdout.write(`${JSON.stringify(snapshot, null, 2)}\n`)
    return 0
  }
  const isTerminal = stdout.isTTY === true
  const lines = printed(withPlainTexts(snapshot), {
    // A terminal that does not know its width says 0.
    width: isTerminal && stdout.columns ? stdout.columns : Number.POSITIVE_INFINITY,
    isColourful: isTerminal && !sources.environment.NO_COLOR,
    now: new Date(),
  })
  stdout.write(`${lines.join('\n')}\n`)
  return 0
}

function printed(snapshot: Snapshot, options: PrintOptions): readonly string[] {
  try {
    return printStatus(snapshot, options)
  } catch (cause) {
    throw new AlgError(
      'RUNTIME_FAILED',
      'what answers is not the admin listener of this version of ftp-alg; --json prints what it says',
      { cause },
    )
  }
}

/** Every text made harmless for a terminal, whoever has answered. */
function withPlainTexts(snapshot: Snapshot): Snapshot {
  const text = JSON.stringify(snapshot)
  const plain = (_key: string, value: unknown) =>
    typeof value === 'string' ? escapeUnsafeCharacters(withControlPictures(value)) : value
  return JSON.parse(text, plain)
}
