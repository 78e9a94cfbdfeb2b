// The options of every command, for yargs. It only splits the command line: values stay text and are validated together with
// the file, so that all mistakes come at once.

import type { Argv } from 'yargs'
import { configSetting, type Flags, settings } from '../config/settings.ts'
import { type CommandOption, configOptions } from './usage/commands.ts'

/**
 * Adds options under a heading of the help.
 *
 * Never `.env()` or `.config()` of yargs: Kubernetes sets FTP_ALG_PORT and its like by itself.
 */
export function addOptions<T>(yargs: Argv<T>, options: readonly CommandOption[], group: string): Argv<T> {
  for (const option of options) {
    const { name, alias, takes, isList = false } = option
    yargs.option(name, {
      ...(alias === undefined ? {} : { alias }),
      describe: describe(option),
      group,
      ...(takes === null ? { type: 'boolean' } : { requiresArg: true, type: 'string', array: isList }),
    })
  }
  return yargs
}

/** Adds --config, --listen, --upstream and the others that stand for a key of the file. */
export function addConfigOptions<T>(yargs: Argv<T>): Argv<T> {
  return addOptions(yargs, configOptions, 'Configuration:')
}

/** What `loadConfig` needs of the parsed command line. `--no-admin` is `--admin off`. */
export function overridesFrom(argv: Readonly<Record<string, unknown>>): Flags {
  const flags: Record<string, unknown> = {}
  for (const { flag } of [configSetting, ...settings]) {
    const value = flag === null ? undefined : argv[flag]
    if (flag !== null && value !== undefined) flags[flag] = value
  }
  return flags.admin === false ? { ...flags, admin: 'off' } : flags
}

/** `FIRST-LAST: one pool of ports for data connections [FTP_ALG_DATA_PORTS] (default 30000-30999)`. */
function describe({ takes, about, variable, fallback }: CommandOption): string {
  const what = takes === null ? about : `${takes}: ${about}`
  const from = variable === undefined ? '' : ` [${variable}]`
  return `${what}${from}${fallback === undefined ? '' : ` (default ${fallback})`}`
}
