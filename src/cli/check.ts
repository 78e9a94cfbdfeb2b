// `ftp-alg check`: says what a configuration means, or everything that is wrong with it and with the certificates and
// passwords that it names, and touches nothing.

import { printConfig } from '../config/effective.ts'
import { printJsonSchema } from '../config/json-schema.ts'
import { type ConfigSources, loadConfig } from '../config/load.ts'
import { AlgError } from '../errors.ts'
import { tryCheckPasswords } from '../net/upstream/pool/check-password.ts'
import { withPriority } from '../process/output-place.ts'
import { checkCertificates } from '../tls/certificate-check.ts'

export interface CheckRequest extends ConfigSources {
  /** `--print-schema`: print the JSON Schema of the file and look at nothing else. */
  readonly printSchema: boolean
  /** `--quiet`: say only what is wrong. */
  readonly quiet: boolean
  readonly stdout: TextSink
  readonly stderr: TextSink
}

/** `process.stdout`, or what a test looks at. */
export interface TextSink {
  write(text: string): unknown
}

/**
 * Prints the effective configuration as YAML, which is itself a configuration file, and warnings and a last word on the error
 * stream. Gives the exit code: 0, or 2 with one mistake a line on the error stream.
 */
export async function check(request: CheckRequest): Promise<0 | 2> {
  if (request.printSchema) {
    request.stdout.write(printJsonSchema())
    return 0
  }
  // In a unit's ExecReload they go to the journal.
  const complain = (text: string, priority: 3 | 4) =>
    request.stderr.write(withPriority(`${text}\n`, priority, request.environment))
  try {
    const { config, warnings } = loadConfig(request)
    const certificates = checkCertificates(config, Date.now())
    for (const warning of [...warnings, ...certificates.warnings]) {
      complain(`warning: ${warning}`, 4)
    }
    if (certificates.mistakes.length > 0) {
      complain(certificates.mistakes.join('\n'), 3)
      return 2
    }
    tryCheckPasswords(config.upstreams)
    if (request.quiet) return 0
    request.stdout.write(printConfig(config))
    request.stderr.write('the configuration is valid\n')
    return 0
  } catch (error) {
    if (!(error instanceof AlgError) || error.code !== 'CONFIG_INVALID') throw error
    complain(error.message, 3)
    return 2
  }
}
