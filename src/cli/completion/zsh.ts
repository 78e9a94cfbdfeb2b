import { type Command, type CommandOption, choicesOf, commands, optionsOf } from '../usage/commands.ts'

/** For a folder of $fpath, as _ftp-alg. */
export function zshScript(): string {
  const described = commands.map(({ name, about }) => `    '${name}:${quoted(about)}'`)
  return `#compdef ftp-alg
# Completion of ftp-alg for zsh, as "ftp-alg completion zsh" prints it.

_ftp-alg() {
  local context state line
  typeset -A opt_args
  local -a commands
  commands=(
${described.join('\n')}
    'help:show the help of a command'
  )
  _arguments -C '(- *)'{-h,--help}'[show help]' '(- *)'{-V,--version}'[show the version]' \\
    '1: :->command' '*:: :->arguments' && return
  case $state in
    command) _describe command commands ;;
    arguments)
      case $words[1] in
${commands.map(caseOf).join('\n')}
        help) _describe command commands ;;
      esac
      ;;
  esac
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
  _ftp-alg "$@"
else
  compdef _ftp-alg ftp-alg
fi
`
}

function caseOf(command: Command): string {
  const { name, operand } = command
  const specs = optionsOf(command).map(specOf)
  const words = choicesOf(operand)
  if (words.length > 0) specs.push(`'1: :(${words.join(' ')})'`)
  specs.push(`'(- *)'{-h,--help}'[show help]'`)
  return `        ${name})\n          _arguments ${specs.join(' \\\n            ')} ;;`
}

/** `'(-c --config)'{-c,--config}'[the YAML file]:FILE:_files'`. */
function specOf({ name, alias, takes, about }: CommandOption): string {
  const rest = `[${quoted(about).replaceAll(/[[\]]/g, '\\$&')}]${takes === null ? '' : takenBy(takes)}`
  return alias === undefined ? `'--${name}${rest}'` : `'(-${alias} --${name})'{-${alias},--${name}}'${rest}'`
}

function takenBy(takes: string): string {
  const choices = choicesOf(takes)
  if (choices.length > 0) return `:value:(${choices.join(' ')})`
  const action = takes === 'FILE' ? '_files' : takes === 'DIR' ? '_directories' : ' '
  return `:${takes.replaceAll(':', '\\:')}:${action}`
}

/** Inside single quotes. */
function quoted(text: string): string {
  return text.replaceAll("'", "'\\''")
}
