import { AlgError } from '../../errors.ts'

export interface PasswordSources {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly stdin: NodeJS.ReadStream
}

/** FTP_ALG_TRY_PASSWORD, or the first line of standard input; anonymous needs none. Errors: `AlgError` USAGE_INVALID. */
export async function passwordOf(user: string, { env, stdin }: PasswordSources): Promise<string> {
  const { FTP_ALG_TRY_PASSWORD: given } = env
  if (given !== undefined && given !== '') return given
  if (user === 'anonymous') return 'ftp-alg@localhost'
  if (stdin.isTTY) {
    throw new AlgError(
      'USAGE_INVALID',
      `needs the password of ${user}: FTP_ALG_TRY_PASSWORD=…, or a line on standard input`,
    )
  }
  let text = ''
  for await (const chunk of stdin) text += chunk
  return text.split(/\r?\n/, 1)[0] ?? ''
}
