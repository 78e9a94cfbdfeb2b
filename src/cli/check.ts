// `ftp-alg check`: says what a configuration means, or everything that is wrong with it, and touches nothing.

import { printConfig } from '../config/effective.ts'
import { printJsonSchema } from '../config/json-schema.ts'
import { type ConfigSources, loadConfig } from '../config/load.ts'
import { AlgError } from '../errors.ts'

export interface CheckRequest extends ConfigSources {
  /** `--print-schema`: print the JSON Schema of the file and look at nothing else. */
  readonly printSchema: boolean
  readonly stdout: TextSink
  readonly stderr: TextSink
}

/** `process.stdout`, or what a test looks at. */
export interface TextSink {
  write(text: string): unknown
}

/**
 * Prints the effective configuration as YAML, which is itself a configuration file, and warnings on the error
 * stream. Gives the exit code: 0, or 2 with one mistake a line on the error stream.
 */
export async function check(request: CheckRequest): Promise<0 | 2> {
  if (request.printSchema) {
    request.stdout.write(printJsonSchema())
    return 0
  }
  try {
    const { config, warnings } = loadConfig(request)
    for (const warning of warnings) request.stderr.write(`warning: ${warning}\n`)
    request.stdout.write(printConfig(config))
    return 0
  } catch (error) {
    if (!(error instanceof AlgError) || error.code !== 'CONFIG_INVALID') throw error
    request.stderr.write(`${error.message}\n`)
    return 2
  }
}
