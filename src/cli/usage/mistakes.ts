// Mistakes in the command line, each worded in one line: what is wrong, what was probably meant, where the help is.

import { nearestWord, oneOf, showValue } from '../../config/complaint.ts'
import { AlgError } from '../../errors.ts'
import { type Command, choicesOf, commandNames, optionsOf } from './commands.ts'

/** What the parser makes of a command line: `_` has the words, the other keys are options. */
export type Arguments = Readonly<Record<string, unknown>>

/** Options of every command. */
const everywhere = ['help', 'h', 'version', 'v', 'V']

/** The parser keeps options in plain objects: `--constructor` finds there what the user did not write. */
export function refuseOddNames(args: readonly string[]): void {
  const nameOf = (arg: string) => /^--?([^=]+)/.exec(arg)?.[1] ?? ''
  const odd = args.find((arg) => arg.startsWith('-') && nameOf(arg) in {})
  if (odd !== undefined) throw usageError(`unknown option ${dashed(nameOf(odd))} (see ${helpFor(args)})`)
}

/** Throws AlgError USAGE_INVALID for the first word or option that the command does not have, or has only once. */
export function refuseMistakes(command: Command, given: Arguments): void {
  const options = optionsOf(command)
  const names = options.flatMap(({ name, alias }) => (alias === undefined ? [name] : [name, alias]))
  const known = new Set([...names, ...names.map(camelCase), ...everywhere, '_', '$0', 'words'])
  for (const key of Object.keys(given)) {
    if (known.has(key)) continue
    const meant = nearestWord(key, [...options.map(({ name }) => name), 'help', 'version'])
    throw mistake(`unknown option ${dashed(key)}`, {
      command,
      hint: meant === null ? null : `did you mean --${meant}?`,
    })
  }
  for (const { name, takes, excludes, isList = false, isRequired = false } of command.options) {
    if (isRequired && given[name] === undefined)
      throw mistake(`--${name} is required`, { command, hint: null })
    if (Array.isArray(given[name]) && !isList)
      throw mistake(`--${name} is given more than once`, { command, hint: null })
    if (takes !== null && typeof given[name] === 'boolean' && name !== 'admin') {
      throw mistake(`unknown option --no-${name}`, { command, hint: null })
    }
    if (excludes !== undefined && given[name] === true && given[excludes] === true) {
      throw mistake(`--${name} and --${excludes} contradict each other`, { command, hint: null })
    }
  }
  refuseWords(command, given)
}

function refuseWords(command: Command, { _: rest, words }: Arguments): void {
  const extra: unknown[] = Array.isArray(rest) ? rest.slice(1) : []
  const given: unknown[] = Array.isArray(words) ? words : []
  const choices = choicesOf(command.operand)
  // `bash|zsh|fish` is one word.
  const unexpected = choices.length > 0 ? given.slice(1) : []
  const [odd] = [...extra, ...unexpected]
  if (odd !== undefined) {
    const hint = command.configOptions.length > 0 ? 'a configuration file is named by --config FILE' : null
    throw mistake(`unexpected argument ${showValue(String(odd))}`, { command, hint })
  }
  if (command.operand === null) return
  const allowed = choices.length > 0 ? oneOf(choices) : command.operand
  const [word] = given
  if (word === undefined) {
    throw mistake(`${command.name} needs an argument (allowed ${allowed})`, { command, hint: null })
  }
  if (choices.length === 0 || choices.includes(String(word))) return
  const what = `${command.name} does not know ${showValue(String(word))} (allowed ${allowed})`
  throw mistake(what, { command, hint: null })
}

/** For a first word that is no command; undefined for no word at all. */
export function unknownCommand(word: string | undefined): AlgError {
  if (word === undefined) return usageError(`name a command: ${oneOf(commandNames)} (see ftp-alg --help)`)
  const meant = nearestWord(word, [...commandNames, 'help'])
  const hint = meant === null ? `allowed ${oneOf(commandNames)}` : `did you mean ${meant}?`
  return usageError(`unknown command ${showValue(word)}; ${hint} (see ftp-alg --help)`)
}

/** What the parser itself complains of, in its own words: `Not enough arguments following: upstream`. */
export function parserComplaint(message: string, words: readonly string[]): AlgError {
  const name = /^Not enough arguments following: (.+)$/.exec(message)?.[1]
  const help = helpFor(words)
  if (name === undefined) return usageError(`${message} (see ${help})`)
  return usageError(`${dashed(name)} needs a value (see ${help})`)
}

function mistake(what: string, about: { readonly command: Command; readonly hint: string | null }): AlgError {
  const hint = about.hint === null ? '' : `; ${about.hint}`
  return usageError(`${what}${hint} (see ${helpFor([about.command.name])})`)
}

function helpFor([word = '']: readonly string[]): string {
  return commandNames.includes(word) ? `ftp-alg ${word} --help` : 'ftp-alg --help'
}

function usageError(message: string): AlgError {
  return new AlgError('USAGE_INVALID', message)
}

/** Keys come from the command line and may hold anything. */
function dashed(key: string): string {
  if (key.length === 1) return /^[a-zA-Z]$/.test(key) ? `-${key}` : showValue(`-${key}`)
  return /^[\w.-]{1,76}$/.test(key) ? `--${key}` : showValue(`--${key}`)
}

function camelCase(name: string): string {
  return name.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
}
