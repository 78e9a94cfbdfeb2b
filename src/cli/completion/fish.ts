import { type CommandOption, choicesOf, commandNames, commands, optionsOf } from '../usage/commands.ts'

/** For /usr/share/fish/vendor_completions.d/ftp-alg.fish. */
export function fishScript(): string {
  const lines = commands.flatMap((command) => {
    const { name, about, operand } = command
    const within = `-n '__fish_seen_subcommand_from ${name}'`
    const words = choicesOf(operand)
    return [
      `complete -c ftp-alg -n __fish_use_subcommand -a ${name} -d ${quoted(about)}`,
      ...optionsOf(command).map((option) => `complete -c ftp-alg ${within} ${optionSwitches(option)}`),
      ...(words.length > 0 ? [`complete -c ftp-alg ${within} -a '${words.join(' ')}'`] : []),
    ]
  })
  return `# Completion of ftp-alg for fish, as "ftp-alg completion fish" prints it.

complete -c ftp-alg -f
complete -c ftp-alg -s h -l help -d 'show help'
complete -c ftp-alg -n __fish_use_subcommand -s V -l version -d 'show the version'
complete -c ftp-alg -n __fish_use_subcommand -a help -d 'show the help of a command'
complete -c ftp-alg -n '__fish_seen_subcommand_from help' -a '${commandNames.join(' ')}'
${lines.join('\n')}
`
}

function optionSwitches({ name, alias, takes, about }: CommandOption): string {
  const names = alias === undefined ? `-l ${name}` : `-l ${name} -s ${alias}`
  return `${names}${takes === null ? '' : ` ${valueSwitches(takes)}`} -d ${quoted(about)}`
}

/** -x: takes a value that is no file; -r -F: one that is. */
function valueSwitches(takes: string): string {
  const choices = choicesOf(takes)
  if (choices.length > 0) return `-x -a '${choices.join(' ')}'`
  if (takes === 'DIR') return `-x -a '(__fish_complete_directories)'`
  return takes === 'FILE' ? '-r -F' : '-x'
}

function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}
