// Configuration from a text in a test, as it would come from a file called config.yaml.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inject } from 'vitest'
import type { Config } from '../../../src/config/config.ts'
import type { EphemeralPorts } from '../../../src/config/kernel-ports.ts'
import { type LoadedConfig, loadConfig } from '../../../src/config/load.ts'
import type { Environment, Flags } from '../../../src/config/settings.ts'
import { AlgError } from '../../../src/errors.ts'

export interface Beside {
  readonly flags?: Flags
  readonly environment?: Environment
  readonly ephemeralPorts?: EphemeralPorts | null
}

const directory = mkdtempSync(join(inject('temporaryFolder'), 'config-'))

/** Where `writeConfig` puts the text; test files that run at the same time have different ones. */
export const configFile = join(directory, 'config.yaml')

/** A new file each time: what a test did to the one before, its mode for instance, is gone. */
export function writeConfig(text: string | Uint8Array): string {
  rmSync(configFile, { force: true })
  writeFileSync(configFile, text)
  return configFile
}

/** `yaml` null means no file at all. */
export function load(yaml: string | Uint8Array | null, beside: Beside = {}): LoadedConfig {
  const file = yaml === null ? {} : { config: writeConfig(yaml) }
  return loadConfig({
    flags: { ...file, ...beside.flags },
    environment: beside.environment ?? {},
    ephemeralPorts: () => beside.ephemeralPorts ?? null,
  })
}

export function configOf(yaml: string | null, beside?: Beside): Config {
  return load(yaml, beside).config
}

/** Every line of the error; fails when there is none, or another error than CONFIG_INVALID. */
export function mistakesIn(yaml: string | Uint8Array | null, beside?: Beside): string[] {
  try {
    load(yaml, beside)
  } catch (error) {
    if (!(error instanceof AlgError) || error.code !== 'CONFIG_INVALID') throw error
    return mistakesOf(error)
  }
  throw new Error('this configuration has no mistake')
}

/** The lines of an error that `load` threw. */
export function mistakesOf(error: AlgError): string[] {
  return error.message.replaceAll(configFile, 'config.yaml').split('\n')
}

export function warningsIn(yaml: string | null, beside?: Beside): string[] {
  return load(yaml, beside).warnings.map((line) => line.replaceAll(configFile, 'config.yaml'))
}
