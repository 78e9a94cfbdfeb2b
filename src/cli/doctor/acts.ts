// What `doctor` does beyond looking, when it is asked to.

import { AlgError } from '../../errors.ts'
import type { DoctorOptions } from '../doctor.ts'
import { type PasswordSources, passwordOf } from './password.ts'

export interface ActsAsked {
  readonly tries: boolean
  readonly user: string | undefined
  readonly limits: string | undefined
}

const FEWEST = 2
const MOST = 200

/** Asks for the password once, where one is needed. Errors: `AlgError` USAGE_INVALID. */
export async function actsOf(
  { tries, user, limits }: ActsAsked,
  sources: PasswordSources,
): Promise<Pick<DoctorOptions, 'credentials' | 'limits'>> {
  const sessions = limits === undefined ? undefined : sessionsToTry(limits)
  const name = user ?? 'anonymous'
  const isNeeded = tries || (sessions !== undefined && user !== undefined)
  const credentials = isNeeded ? { user: name, password: await passwordOf(name, sources) } : undefined
  return {
    ...(tries && credentials && { credentials }),
    // Without --user there is no login at the servers, whatever --try does.
    ...(sessions !== undefined && {
      limits: { sessions, ...(user !== undefined && credentials && { credentials }) },
    }),
  }
}

/** `'12'` gives 12. */
function sessionsToTry(text: string): number {
  const count = /^\d+$/.test(text) ? Number(text) : 0
  if (count >= FEWEST && count <= MOST) return count
  throw new AlgError(
    'USAGE_INVALID',
    `--limits needs a number of sessions (given ${text}, allowed ${FEWEST} to ${MOST})`,
  )
}
