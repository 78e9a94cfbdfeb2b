#!/usr/bin/env node
// The process: argv and environment in, exit code out. Nothing else knows yargs' program or `process.exitCode`.

import { readFileSync } from 'node:fs'
import yargs from 'yargs'
import { hideBin } from 'yargs/helpers'
import { check } from './cli/check.ts'
import { demo } from './cli/demo.ts'
import { doctor } from './cli/doctor.ts'
import { firewall } from './cli/firewall.ts'
import { k8sPorts } from './cli/k8s-ports.ts'
import { configOptions, overridesFrom } from './cli/options.ts'
import { run } from './cli/run.ts'
import { type ConfigSources, loadConfig } from './config/load.ts'
import { AlgError } from './errors.ts'

const version = packageVersion()

try {
  process.exitCode = await main(hideBin(process.argv))
} catch (error) {
  process.stderr.write(
    error instanceof AlgError ? `ftp-alg: ${error.message}\n` : `ftp-alg: ${stackOf(error)}\n`,
  )
  process.exitCode = error instanceof AlgError ? error.exitCode : 1
}
// Listeners and timers of a failed start must not keep the process alive.
process.exit()

async function main(args: readonly string[]): Promise<number> {
  let exitCode = 0
  const { stdout, stderr } = process
  await yargs(args)
    .scriptName('ftp-alg')
    .usage('$0 <command> [options]\n\nA firewall-aware FTP proxy and application layer gateway.')
    .command('run', 'run the proxy', configOptions, async (argv) => {
      exitCode = await run({ sources: sourcesOf(argv), version, stderr })
    })
    .command(
      'check',
      'validate the configuration and print what it means',
      (command) =>
        configOptions(command).option('print-schema', {
          type: 'boolean',
          default: false,
          describe: 'print the JSON Schema of the configuration file',
        }),
      async (argv) => {
        exitCode = await check({ ...sourcesOf(argv), printSchema: argv.printSchema, stdout, stderr })
      },
    )
    .command(
      'firewall',
      'print the nftables rules that the configuration needs',
      (command) =>
        configOptions(command)
          // No defaults: to yargs a false one is given, and conflicts.
          .option('apply', { type: 'boolean', describe: 'put them in place' })
          .option('remove', { type: 'boolean', describe: 'take them away' })
          .conflicts('apply', 'remove'),
      async (argv) => {
        const action = argv.apply === true ? 'apply' : argv.remove === true ? 'remove' : 'print'
        exitCode = await firewall(loadConfig(sourcesOf(argv)).config, { action, stdout })
      },
    )
    .command('doctor', 'can this machine do what the configuration asks?', configOptions, async (argv) => {
      exitCode = await doctor(loadConfig(sourcesOf(argv)).config, { stdout })
    })
    .command(
      'k8s-ports',
      'print the data ports as entries of a Kubernetes Service',
      (command) =>
        configOptions(command)
          .option('range', {
            type: 'string',
            requiresArg: true,
            describe: 'FIRST-LAST instead of the configuration',
          })
          .option('service', { type: 'string', requiresArg: true, describe: 'NAME: print a whole Service' })
          .option('node-ports', {
            type: 'boolean',
            default: false,
            describe: 'ask for node ports of the same numbers',
          }),
      async (argv) => {
        const { range, service, nodePorts } = argv
        exitCode = await k8sPorts({ range, service, nodePorts, sources: sourcesOf(argv), stdout, stderr })
      },
    )
    .command('demo', 'show on loopback what the proxy does', {}, async () => {
      exitCode = await demo({ version, stdout })
    })
    .demandCommand(1, 'Name a command.')
    .strict()
    .version(version)
    .help()
    .alias({ h: 'help', v: 'version' })
    .wrap(Math.min(110, process.stdout.columns ?? 110))
    .exitProcess(false)
    .fail((message, error) => {
      throw error ?? new AlgError('USAGE_INVALID', `${message} (see ftp-alg --help)`)
    })
    .parseAsync()
  return exitCode
}

function sourcesOf(argv: Readonly<Record<string, unknown>>): ConfigSources {
  return { flags: overridesFrom(argv), environment: process.env }
}

function packageVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  const content: unknown = JSON.parse(text)
  const isPackage = typeof content === 'object' && content !== null && 'version' in content
  return isPackage ? String(content.version) : 'unknown'
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
