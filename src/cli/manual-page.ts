// ftp-alg(8), made from the table of commands: a test holds deploy/man/ftp-alg.8 equal to it.

import { roffEntry, roffExample, roffText, roffTitle } from '../config/roff.ts'
import { configSetting, defaultConfigFile, settings } from '../config/settings.ts'
import { type Command, type CommandOption, commands, configOptions, exitCodes } from './usage/commands.ts'

export function commandManual(): string {
  return `${[
    ...opening,
    '.SH COMMANDS',
    ...commands.flatMap(commandChapter),
    '.SH CONFIGURATION OPTIONS',
    roffText(
      'They stand for keys of ftp-alg.yaml(5), and win over the environment, which wins over the file.',
    ),
    ...configOptions.map(optionEntry),
    '.SH ENVIRONMENT',
    roffText('A variable that is empty counts as not set.'),
    ...[...variables()].map(([variable, about]) => roffEntry(variable, sentence(about))),
    roffEntry('NO_COLOR', 'If set, status prints no colours.'),
    '.SH SIGNALS',
    ...signals.map(([name, text]) => roffEntry(name, text)),
    '.SH EXIT STATUS',
    ...exitCodes.map(({ code, meaning }) => roffEntry(String(code), sentence(meaning))),
    ...ending,
  ].join('\n')}\n`
}

const opening = [
  `.\\" Made from src/cli/usage/commands.ts by UPDATE=1 and the unit tests of cli/manual-pages; change the table, not this.`,
  roffTitle('FTP-ALG', 8),
  '.SH NAME',
  'ftp\\-alg \\- firewall\\-aware FTP proxy and application layer gateway',
  '.SH SYNOPSIS',
  '.B ftp\\-alg',
  '.I command',
  '.RI [ options ]',
  '.SH DESCRIPTION',
  roffText(
    'Stands between FTP clients and servers, rewrites the endpoints that FTP names in its control channel, opens a pinhole for each data connection, and converts between active and passive mode.',
  ),
  '.PP',
  roffText(
    `Without --config, --upstream and --intercept, and the variables that do the same, the configuration is ${defaultConfigFile}.`,
  ),
]

const signals = [
  ['SIGTERM, SIGINT', 'Drain: no new sessions, transfers finish. A second one stops at once.'],
  ['SIGHUP', 'Read the configuration and the certificates again. A file with a mistake changes nothing.'],
  ['SIGUSR2', 'Open the log files again, after logrotate has moved them.'],
] as const

const ending = [
  '.SH FILES',
  '.TP',
  `.I ${roffText(defaultConfigFile)}`,
  'The configuration.',
  '.SH SEE ALSO',
  '.BR ftp\\-alg.yaml (5),',
  '.BR nft (8)',
]

/** Each once, however many options stand for it. */
function variables(): ReadonlyMap<string, string> {
  const ofOptions = commands.flatMap(({ options }) =>
    options.map(({ variable, about }): [string | undefined, string] => [variable, about]),
  )
  const ofSettings = [configSetting, ...settings].map(({ variable, about }): [string, string] => [
    variable,
    about,
  ])
  const all = [...ofOptions, ...ofSettings].flatMap(([variable, about]): [string, string][] =>
    variable === undefined ? [] : [[variable, about]],
  )
  return new Map(all)
}

function commandChapter(command: Command): string[] {
  const { name, operand, about, options, examples } = command
  return [
    `.SS "${roffText(`ftp-alg ${name}${operand === null ? '' : ` ${operand}`}`)}"`,
    roffText(sentence(about)),
    ...options.map(optionEntry),
    ...(command.configOptions.length > 0
      ? ['.PP', roffText('Takes the options of CONFIGURATION OPTIONS too.')]
      : []),
    ...examples.flatMap((example) => [roffExample([`ftp-alg ${example.line}`, `    # ${example.about}`])]),
  ]
}

function optionEntry({ name, alias, takes, about, variable, fallback }: CommandOption): string {
  const head = `${alias === undefined ? '' : `-${alias}, `}--${name}${takes === null ? '' : ` ${takes}`}`
  const from = variable === undefined ? '' : ` Variable: \`${variable}\`.`
  return roffEntry(
    head,
    `${sentence(about)}${from}${fallback === undefined ? '' : ` Default: \`${fallback}\`.`}`,
  )
}

/** `run the proxy` becomes `Run the proxy.` */
function sentence(text: string): string {
  return `${text[0]?.toUpperCase()}${text.slice(1)}${/[.?]$/.test(text) ? '' : '.'}`
}
