import { type CommandOption, choicesOf, commandNames, commands, optionsOf } from '../usage/commands.ts'

/** For /usr/share/bash-completion/completions/ftp-alg. Needs bash 4, and nothing of the package bash-completion. */
export function bashScript(): string {
  const wordsOf = commands.map((command) => {
    const flags = [...optionsOf(command), { name: 'help' }].map(({ name }) => `--${name}`)
    return `    ${command.name}) words='${[...choicesOf(command.operand), ...flags].join(' ')}' ;;`
  })
  return `# Completion of ftp-alg for bash, as "ftp-alg completion bash" prints it.

_ftp_alg() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD - 1]} command='' words='' i
  # --option=value arrives as three words.
  if [ "$cur" = = ]; then
    cur=''
  elif [ "$prev" = = ]; then
    prev=\${COMP_WORDS[COMP_CWORD - 2]}
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    case \${COMP_WORDS[i]} in
    ${commandNames.join(' | ')} | help)
      command=\${COMP_WORDS[i]}
      break
      ;;
    esac
  done
  COMPREPLY=()
  case $prev in
${valueCases().join('\n')}
  esac
  case $command in
    '') words='${[...commandNames, 'help', '--help', '--version'].join(' ')}' ;;
    help) words='${commandNames.join(' ')}' ;;
${wordsOf.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}

complete -F _ftp_alg ftp-alg
`
}

/** What follows an option that takes a value; the same option means the same in every command. */
function valueCases(): string[] {
  const options = new Map(commands.flatMap(optionsOf).map((option) => [option.name, option]))
  return [...options.values()].flatMap((option) =>
    option.takes === null ? [] : [`    ${patternOf(option)}) ${valuesOf(option.takes)}return ;;`],
  )
}

function patternOf({ name, alias }: CommandOption): string {
  return alias === undefined ? `--${name}` : `--${name} | -${alias}`
}

function valuesOf(takes: string): string {
  const choices = choicesOf(takes)
  if (choices.length > 0) return `COMPREPLY=($(compgen -W '${choices.join(' ')}' -- "$cur")); `
  if (takes === 'FILE') return 'compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); '
  if (takes === 'DIR') return 'compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur"); '
  return ''
}
