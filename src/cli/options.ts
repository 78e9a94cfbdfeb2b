// The options of every command that needs a configuration. yargs only splits the command line: values stay text
// and are validated together with the file, so that all mistakes come at once.

import type { Argv } from 'yargs'
import { configSetting, type Flags, settings } from '../config/settings.ts'

/**
 * Adds --config, --listen, --upstream and the others that stand for a key of the file.
 *
 * Never `.env()` or `.config()` of yargs: Kubernetes sets FTP_ALG_PORT and its like by itself.
 */
export function configOptions<T>(yargs: Argv<T>): Argv<T> {
  yargs.option(configSetting.flag, {
    alias: 'c',
    describe: describe(configSetting),
    group: 'Configuration:',
    requiresArg: true,
    type: 'string',
  })
  for (const setting of settings) {
    if (setting.flag === null) continue
    yargs.option(setting.flag, {
      describe: describe(setting),
      group: 'Configuration:',
      requiresArg: true,
      type: 'string',
    })
  }
  return yargs
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

function describe({ takes, about, variable }: { takes: string; about: string; variable: string }): string {
  return `${takes}: ${about} [${variable}]`
}
