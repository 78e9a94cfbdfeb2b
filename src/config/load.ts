// The configuration from all its sources: file < environment < flags, merged first and then validated once.

import { existsSync } from 'node:fs'
import { AlgError } from '../errors.ts'
import { complaint } from './complaint.ts'
import type { Config } from './config.ts'
import { schemaKeysAt } from './json-schema.ts'
import { type EphemeralPorts, readEphemeralPorts } from './kernel-ports.ts'
import { listenerSchema } from './listener-schema.ts'
import { type Merged, mergeOverrides } from './merge.ts'
import { type ErrorLocation, type Finding, findingsOf, printFindings } from './mistakes.ts'
import { withPools } from './pool-rules.ts'
import { checkRules, type ValidSections } from './rules.ts'
import { fileSchema, sections } from './schema.ts'
import { configSetting, type Environment, type Flags, overridesOf, settingsWithoutFile } from './settings.ts'
import { poolSchema } from './upstreams-schema.ts'
import { readYamlFile } from './yaml-file.ts'

export interface ConfigSources {
  /** By name without dashes; `config` names the file. */
  readonly flags: Flags
  readonly environment: Environment
  /** What is read when neither names a file, nor says with --upstream or --intercept what to do without one. */
  readonly defaultFile?: string
  /** For the warning about ports that the kernel uses too; asked for once. */
  readonly ephemeralPorts?: () => EphemeralPorts | null
}

export interface LoadedConfig {
  readonly config: Config
  /** Things that work, but perhaps not as meant; worded like the mistakes. */
  readonly warnings: readonly string[]
}

/**
 * Reads, merges and validates. Nothing is half right: either the whole configuration comes back, or every mistake
 * in it, one a line, in the message of an `AlgError`:
 *
 * `config.yaml:7:11 limits.idle: needs a unit, such as 60s (given 60, allowed 1ms to 7d, as in 500ms, …)`
 *
 * Errors: CONFIG_INVALID (exit 2).
 */
export function loadConfig(sources: ConfigSources): LoadedConfig {
  const { flags, environment } = sources
  const name = configFileOf(sources)
  const file = name === null ? null : readYamlFile(name)
  if (file !== null && file.tree === null) throw invalid(printFindings([], { name, file, origins: [] }))
  const merged = mergeOverrides(file?.tree ?? {}, overridesOf(flags, environment))
  // Without a file, a listener can only come from the command line or the environment.
  const origins =
    name === null
      ? [{ path: ['listeners'], name: listenersFrom(sources) }, ...merged.origins]
      : merged.origins
  const location: ErrorLocation = { name, file, origins }
  const result = fileSchema.safeParse(merged.tree)
  const valid = result.success ? result.data : validSectionsOf(merged.tree)
  const rules = checkRules(valid, (sources.ephemeralPorts ?? readEphemeralPorts)())
  const findings: Finding[] = [
    ...(result.success ? [] : findingsOf(result.error.issues, schemaKeysAt)),
    ...rules.breaches,
  ]
  const mistakes = [...printFindings(findings, location), ...misplaced(merged)]
  if (mistakes.length > 0 || !result.success || rules.dataPorts === null) throw invalid(mistakes)
  const warnings = printFindings(rules.warnings, location)
  const { upstreams, listeners } = result.data
  const config = {
    ...result.data,
    listeners: listeners.map((listener) => withPools(listener, upstreams)),
    dataPorts: rules.dataPorts,
  }
  return { config, warnings }
}

/**
 * `--config`, or FTP_ALG_CONFIG, or the default file where it is read and exists, or none.
 *
 * Errors: CONFIG_INVALID (exit 2), when it is given twice or empty.
 */
export function configFileOf(sources: ConfigSources): string | null {
  const name = namedFile(sources)
  if (name !== null) return name
  const fallback = fallbackFile(sources)
  return fallback !== null && existsSync(fallback) ? fallback : null
}

/** What is read without --config; null where --upstream or --intercept say what to do without a file. */
function fallbackFile({ flags, environment, defaultFile }: ConfigSources): string | null {
  const isEnough = overridesOf(flags, environment).some(({ setting }) =>
    settingsWithoutFile.some((flag) => flag === setting.flag),
  )
  return isEnough ? null : (defaultFile ?? null)
}

function namedFile({ flags, environment }: ConfigSources): string | null {
  const flag = flags[configSetting.flag]
  if (flag === undefined) return environment[configSetting.variable] || null
  if (typeof flag === 'string' && flag !== '') return flag
  const text = complaint('needs the name of one file', { given: flag, allowed: 'one file' })
  throw invalid([`--${configSetting.flag}: ${text}`])
}

/** The error of a missing listener, where no file was read, names the file that would have been read. */
function listenersFrom(sources: ConfigSources): string {
  const missing = fallbackFile(sources)
  return missing === null ? '--upstream' : `there is no ${missing}; --upstream`
}

function invalid(mistakes: readonly string[]): AlgError {
  return new AlgError('CONFIG_INVALID', mistakes.join('\n'), { context: { mistakes: mistakes.length } })
}

function misplaced({ mistakes }: Merged): string[] {
  return mistakes.map(({ origin, text }) => `${origin}: ${text}`)
}

/** What is valid in itself, so that rules between keys are checked even when some other key is wrong. */
function validSectionsOf(tree: Readonly<Record<string, unknown>>): ValidSections {
  const itemsOf = (list: unknown): readonly unknown[] => (Array.isArray(list) ? list : [])
  const [listeners, upstreams] = [itemsOf(tree.listeners), itemsOf(tree.upstreams)]
  return {
    upstreams: upstreams.map((pool) => poolSchema.safeParse(pool).data),
    listeners: listeners.map((listener) => listenerSchema.safeParse(listener).data),
    dataPorts: sections.dataPorts.safeParse(tree.dataPorts).data,
    pinholes: sections.pinholes.safeParse(tree.pinholes).data,
    admin: sections.admin.safeParse(tree.admin).data,
    workers: sections.workers.safeParse(tree.workers).data,
  }
}
