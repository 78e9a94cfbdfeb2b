// `end`, `drain` and `resume` on the command line.

import type { Argv } from 'yargs'
import type { ConfigSources } from '../config/load.ts'
import type { OperateRequest } from './operate.ts'

export interface CommandWorld {
  readonly stdout: OperateRequest['stdout']
  readonly sourcesOf: (argv: Readonly<Record<string, unknown>>) => ConfigSources
  readonly exitsWith: (exitCode: number) => void
}

const text = { type: 'string', requiresArg: true } as const

/** Which proxy, and the right to change something there. */
const options = {
  admin: { ...text, describe: 'ADDR:PORT: its admin listener [FTP_ALG_ADMIN]' },
  config: {
    ...text,
    alias: 'c',
    describe: 'FILE: its configuration, which names the admin listener and the token [FTP_ALG_CONFIG]',
  },
  token: { ...text, describe: 'FILE: the token of admin.token [FTP_ALG_ADMIN_TOKEN]' },
} as const

const listener = {
  type: 'array',
  string: true,
  requiresArg: true,
  default: [] as string[],
  describe: 'NAME…: only these listeners',
} as const

export function operateCommands<T>(yargs: Argv<T>, { stdout, sourcesOf, exitsWith }: CommandWorld): Argv<T> {
  return yargs
    .command(
      'end <id..>',
      'end sessions of a running proxy',
      (command) =>
        command.options(options).positional('id', {
          type: 'string',
          array: true,
          demandOption: true,
          describe: 'as status shows it',
        }),
      async (argv) => {
        const { end } = await import('./operate.ts')
        exitsWith(await end({ sources: sourcesOf(argv), tokenFile: argv.token, stdout, ids: argv.id }))
      },
    )
    .command(
      'drain',
      'let a running proxy take no new sessions',
      (command) =>
        command.options({
          ...options,
          listener,
          end: {
            type: 'boolean',
            default: false,
            describe: 'end idle sessions too, and the others after their transfers',
          },
          wait: { ...text, describe: 'DURATION: wait until no session is left' },
        }),
      async (argv) => {
        const { drain } = await import('./operate.ts')
        const { token, listener: listeners, end: endsSessions, wait } = argv
        const sources = sourcesOf(argv)
        exitsWith(await drain({ sources, tokenFile: token, stdout, listeners, endsSessions, wait }))
      },
    )
    .command(
      'resume',
      'let a drained proxy take sessions again',
      (command) => command.options({ ...options, listener }),
      async (argv) => {
        const { resume } = await import('./operate.ts')
        const { token, listener: listeners } = argv
        exitsWith(await resume({ sources: sourcesOf(argv), tokenFile: token, stdout, listeners }))
      },
    ) as Argv<T>
}
