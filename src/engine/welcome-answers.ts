// What a client without a server is answered, whichever its server will be.

import type { Command } from '../ftp/commands.ts'
import type { EngineOptions } from './options.ts'
import type { Outbox } from './outbox.ts'
import type { Refusals } from './refusals.ts'
import type { Security } from './security.ts'

export interface AnswerParts {
  readonly options: EngineOptions
  readonly outbox: Outbox
  readonly refusals: Refusals
  readonly security: Security
  readonly usesHost: boolean
}

export function answerAlone(command: Command, parts: AnswerParts): void {
  const { outbox, refusals } = parts
  switch (command.verb) {
    case 'FEAT':
      listFeatures(command, parts)
      break
    case 'NOOP':
      outbox.reply('200 Ready.')
      break
    case 'HELP':
      outbox.reply('214 Log in with USER and PASS.')
      break
    case 'QUIT':
      outbox.close('quit', '221 Goodbye.')
      break
    case 'PASS':
    case 'ACCT':
      refusals.refuse(command, 'login_required', '503 USER comes first.')
      break
    case 'AUTH':
      // Only where there is no TLS of ours: whose it would be is not known.
      refusals.refuse(command, 'auth', '502 AUTH is not supported.')
      break
    default:
      refusals.refuse(command, 'login_required', LOG_IN)
  }
}

const LOG_IN = '530 Please log in first.'

/**
 * What is true of every server. Of the rest nothing is known, so a client that has TLS, or cannot have it, is sent to log in
 * first: lftp then asks again.
 */
function listFeatures(
  command: Command,
  { security, outbox, options, usesHost, refusals }: AnswerParts,
): void {
  const offersTls =
    security.client !== null && options.tls?.client.mode !== 'off' && !security.client.isSecure
  const features = [...(offersTls ? (security.client?.features ?? []) : []), ...(usesHost ? ['HOST'] : [])]
  if (features.length === 0) refusals.refuse(command, 'login_required', LOG_IN)
  else outbox.reply(['211-Features:', ...features.map((feature) => ` ${feature}`), '211 End'].join('\r\n'))
}
