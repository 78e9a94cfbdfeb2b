#!/usr/bin/env node
// The process: argv and environment in, exit code out. Nothing else knows yargs' program or `process.exitCode`. A command is
// loaded when it is asked for: what only the demo needs must not slow the start of the daemon.

import { readFileSync } from 'node:fs'
import yargs from 'yargs'
import { hideBin } from 'yargs/helpers'
import { operateCommands } from './cli/operate-commands.ts'
import { configOptions, overridesFrom } from './cli/options.ts'
import type { Config } from './config/config.ts'
import type { ConfigSources } from './config/load.ts'
import { AlgError } from './errors.ts'
import { isJournal } from './process/output-place.ts'

const version = packageVersion()

try {
  process.exitCode = await main(hideBin(process.argv))
} catch (error) {
  const prefix = isJournal(2, process.env) ? '<3>' : ''
  process.stderr.write(`${complaintOf(error)}\n`.replaceAll(/^(?=.)/gm, prefix))
  process.exitCode = error instanceof AlgError ? error.exitCode : 1
}
// Listeners and timers of a failed start must not keep the process alive.
process.exit()

async function main(args: readonly string[]): Promise<number> {
  let exitCode = 0
  const { stdout, stderr } = process
  const program = yargs(args)
    .scriptName('ftp-alg')
    .usage('$0 <command> [options]\n\nA firewall-aware FTP proxy and application layer gateway.')
    .command(
      'run',
      'run the proxy',
      (command) =>
        configOptions(command).option('record', {
          type: 'string',
          requiresArg: true,
          describe: 'DIR: write a transcript of each session there, secrets masked',
        }),
      async (argv) => {
        const { run } = await import('./cli/run.ts')
        await run({ sources: sourcesOf(argv), version, stderr, record: argv.record ?? null })
      },
    )
    .command(
      'check',
      'validate the configuration and print what it means',
      (command) =>
        configOptions(command)
          .option('print-schema', {
            type: 'boolean',
            default: false,
            describe: 'print the JSON Schema of the configuration file',
          })
          .option('quiet', {
            alias: 'q',
            type: 'boolean',
            default: false,
            describe: 'say only what is wrong',
          }),
      async (argv) => {
        const { check } = await import('./cli/check.ts')
        const { printSchema, quiet } = argv
        exitCode = await check({ ...sourcesOf(argv), printSchema, quiet, stdout, stderr })
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
        const { firewall } = await import('./cli/firewall.ts')
        exitCode = await firewall(await configOf(argv), { action, stdout })
      },
    )
    .command('doctor', 'can this machine do what the configuration asks?', configOptions, async (argv) => {
      const { doctor } = await import('./cli/doctor.ts')
      exitCode = await doctor(await configOf(argv), { stdout })
    })
    .command(
      'explain',
      'say where a client would be sent, and why',
      (command) =>
        configOptions(command)
          .option('client', {
            type: 'string',
            requiresArg: true,
            demandOption: true,
            describe: 'ADDR: its address',
          })
          .option('user', { type: 'string', requiresArg: true, describe: 'NAME: what it says with USER' })
          .option('sni', { type: 'string', requiresArg: true, describe: 'HOST: what it asks for with TLS' })
          .option('host', { type: 'string', requiresArg: true, describe: 'HOST: what it says with HOST' })
          .option('listener', { type: 'string', requiresArg: true, describe: 'NAME: only this one' }),
      async (argv) => {
        const { client, user, sni, host, listener } = argv
        const { explain } = await import('./cli/explain.ts')
        exitCode = explain(await configOf(argv), { client, user, sni, host, listener, stdout })
      },
    )
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
        const { k8sPorts } = await import('./cli/k8s-ports.ts')
        exitCode = await k8sPorts({ range, service, nodePorts, sources: sourcesOf(argv), stdout, stderr })
      },
    )
    .command(
      'status',
      'show what a running proxy is doing',
      {
        admin: {
          type: 'string',
          requiresArg: true,
          describe: 'ADDR:PORT: its admin listener [FTP_ALG_ADMIN]',
        },
        config: {
          alias: 'c',
          type: 'string',
          requiresArg: true,
          describe: 'FILE: its configuration, which names the admin listener [FTP_ALG_CONFIG]',
        },
        json: { type: 'boolean', default: false, describe: 'print everything as JSON' },
      },
      async (argv) => {
        const { status } = await import('./cli/status.ts')
        exitCode = await status({ sources: sourcesOf(argv), json: argv.json, stdout })
      },
    )
  const exitsWith = (code: number) => {
    exitCode = code
  }
  await operateCommands(program, { stdout, sourcesOf, exitsWith })
    .command('demo', 'show on loopback what the proxy does', {}, async () => {
      const { demo } = await import('./cli/demo.ts')
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

async function configOf(argv: Readonly<Record<string, unknown>>): Promise<Config> {
  const { loadConfig } = await import('./config/load.ts')
  return loadConfig(sourcesOf(argv)).config
}

function packageVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  const content: unknown = JSON.parse(text)
  const isPackage = typeof content === 'object' && content !== null && 'version' in content
  return isPackage ? String(content.version) : 'unknown'
}

/** Mistakes in a file stand alone, one a line, so that editors and scripts can read `file:line:column`. */
function complaintOf(error: unknown): string {
  if (!(error instanceof AlgError)) return `ftp-alg: ${error instanceof Error ? error.stack : String(error)}`
  return error.code === 'CONFIG_INVALID' ? error.message : `ftp-alg: ${error.message}`
}
