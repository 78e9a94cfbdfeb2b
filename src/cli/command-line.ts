// argv and environment in, exit code out. Nothing else knows yargs' program or `process.exitCode`. A command is loaded when it
// is asked for: what only the demo needs must not slow the start of the daemon.

import yargs, { type Argv } from 'yargs'
import { hideBin } from 'yargs/helpers'
import type { Config } from '../config/config.ts'
import type { ConfigSources } from '../config/load.ts'
import { defaultConfigFile } from '../config/settings.ts'
import { AlgError } from '../errors.ts'
import { withPriority } from '../process/output-place.ts'
import { addConfigOptions, addOptions, overridesFrom } from './options.ts'
import { type Command, commandNames, commands, exitCodes } from './usage/commands.ts'
import {
  type Arguments,
  parserComplaint,
  refuseMistakes,
  refuseOddNames,
  unknownCommand,
} from './usage/mistakes.ts'

// In yargs since version 17, not in its types.
declare module 'yargs' {
  interface Argv<T> {
    usageConfiguration(configuration: { readonly 'hide-types': boolean }): this
  }
}

/** Runs the command that the process was called with, and ends the process. */
export async function runCommandLine(version: string): Promise<void> {
  try {
    process.exitCode = await main(withoutHelpCommand(hideBin(process.argv)), version)
  } catch (error) {
    process.stderr.write(withPriority(`${complaintOf(error)}\n`, 3, process.env))
    process.exitCode = error instanceof AlgError ? error.exitCode : 1
  }
  // Listeners and timers of a failed start must not keep the process alive.
  process.exit()
}

async function main(args: readonly string[], version: string): Promise<number> {
  refuseOddNames(args)
  let exitCode = 0
  const program = yargs(args)
    .scriptName('ftp-alg')
    // Messages are looked at below, and those of ours are English too.
    .locale('en')
    .usage('$0 <command> [options]\n\nA firewall-aware FTP proxy and application layer gateway.')
    .parserConfiguration({ 'dot-notation': false })
    .usageConfiguration({ 'hide-types': true })
    .epilogue(epilogue)
    .version(version)
    .help()
    .alias({ help: 'h', version: ['v', 'V'] })
    .wrap(Math.min(110, process.stdout.columns || 110))
    .exitProcess(false)
    .fail((message, error) => {
      // What a command throws passes; what the parser itself throws is a mistake in the command line.
      if (error instanceof Error && error.name !== 'YError') throw error
      throw parserComplaint(message ?? error.message, args)
    })
    .command('$0', false, {}, ({ _: [word] }) => {
      throw unknownCommand(word === undefined ? undefined : String(word))
    })
  for (const command of commands) {
    program.command(
      command.operand === null ? command.name : `${command.name} [words..]`,
      command.about,
      (builder) => addUsage(builder, command),
      async (argv) => {
        refuseMistakes(command, argv)
        exitCode = await runCommand(command.name, argv, version)
      },
    )
  }
  await program.parseAsync()
  return exitCode
}

const codes = exitCodes.map(({ code, meaning }) => `${code} ${meaning}`).join(' · ')
const epilogue = `Without --config, --upstream and --intercept the configuration is ${defaultConfigFile}.
Exit codes: ${codes}
Manual: man ftp-alg, man ftp-alg.yaml, and the folder docs beside the program`

function addUsage(builder: Argv, command: Command): Argv {
  const operand = command.operand === null ? '' : ` <${command.operand}>`
  builder.usage(`$0 ${command.name}${operand} [options]\n\n${command.about}`).epilogue(epilogue)
  for (const { line, about } of command.examples) builder.example(`$0 ${line}`, about)
  if (command.operand !== null) {
    builder.positional('words', { type: 'string', array: true, describe: command.operand })
  }
  addOptions(builder, command.options, 'Options:')
  return command.configOptions.length > 0 ? addConfigOptions(builder) : builder
}

async function runCommand(name: string, argv: Arguments, version: string): Promise<number> {
  const { stdout, stderr } = process
  const sources: ConfigSources = {
    flags: overridesFrom(argv),
    environment: process.env,
    defaultFile: defaultConfigFile,
  }
  switch (name) {
    case 'run': {
      const { run } = await import('./run.ts')
      await run({ sources, version, stderr, record: textOf(argv.record) ?? null })
      return 0
    }
    case 'check': {
      const { check } = await import('./check.ts')
      const [printSchema, quiet] = [argv.printSchema === true, argv.quiet === true]
      return check({ ...sources, printSchema, quiet, stdout, stderr })
    }
    case 'firewall': {
      const action = argv.apply === true ? 'apply' : argv.remove === true ? 'remove' : 'print'
      const { firewall } = await import('./firewall.ts')
      return firewall(await configOf(sources), { action, stdout })
    }
    case 'doctor': {
      const { doctor } = await import('./doctor.ts')
      const { actsOf } = await import('./doctor/acts.ts')
      const [tries, user, limits] = [argv.try === true, textOf(argv.user), textOf(argv.limits)]
      return doctor(await configOf(sources), { stdout, ...(await actsOf({ tries, user, limits }, process)) })
    }
    case 'explain': {
      const [client, user, sni] = [textOf(argv.client) ?? '', textOf(argv.user), textOf(argv.sni)]
      const [host, listener] = [textOf(argv.host), textOf(argv.listener)]
      const { explain } = await import('./explain.ts')
      return explain(await configOf(sources), { client, user, sni, host, listener, stdout })
    }
    case 'k8s-ports': {
      const { k8sPorts } = await import('./k8s-ports.ts')
      const [range, service, nodePorts] = [textOf(argv.range), textOf(argv.service), argv.nodePorts === true]
      return k8sPorts({ range, service, nodePorts, sources, stdout, stderr })
    }
    case 'status': {
      const { status } = await import('./status.ts')
      return status({ sources, json: argv.json === true, stdout })
    }
    case 'end': {
      const { end } = await import('./operate.ts')
      return end({ sources, tokenFile: textOf(argv.token), stdout, ids: textsOf(argv.words) })
    }
    case 'drain': {
      const { drain } = await import('./operate.ts')
      const [listeners, endsSessions] = [textsOf(argv.listener), argv.end === true]
      const [tokenFile, wait] = [textOf(argv.token), textOf(argv.wait)]
      return drain({ sources, tokenFile, stdout, listeners, endsSessions, wait })
    }
    case 'resume': {
      const { resume } = await import('./operate.ts')
      return resume({ sources, tokenFile: textOf(argv.token), stdout, listeners: textsOf(argv.listener) })
    }
    case 'demo': {
      const { demo } = await import('./demo.ts')
      return demo({ version, stdout })
    }
    case 'completion': {
      const { completionScript } = await import('./completion.ts')
      stdout.write(completionScript(textsOf(argv.words)[0] ?? ''))
      return 0
    }
    default:
      throw new Error(`no code for the command ${name}`)
  }
}

async function configOf(sources: ConfigSources): Promise<Config> {
  const { loadConfig } = await import('../config/load.ts')
  return loadConfig(sources).config
}

/** `help run` is `run --help`, `help` is `--help`. */
function withoutHelpCommand([first, second, ...rest]: readonly string[]): readonly string[] {
  if (first !== 'help') return [first, second, ...rest].filter((arg) => arg !== undefined)
  if (second === undefined) return ['--help']
  if (!commandNames.includes(second) && !second.startsWith('-')) return [second]
  return [second, '--help']
}

function textsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.map(String) : []
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

/** Mistakes in a file stand alone, one a line, so that editors and scripts can read `file:line:column`. */
function complaintOf(error: unknown): string {
  if (!(error instanceof AlgError)) return `ftp-alg: ${error instanceof Error ? error.stack : String(error)}`
  return error.code === 'CONFIG_INVALID' ? error.message : `ftp-alg: ${error.message}`
}
