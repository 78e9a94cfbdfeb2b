// The commands, their options and examples as data. The parser, `--help`, the completion of shells, did-you-mean and the
// manual page are all made of this table.

import { configSetting, defaultConfigFile, type Setting, settings } from '../../config/settings.ts'

export interface CommandOption {
  /** Without dashes: `print-schema`. */
  readonly name: string
  readonly alias?: string
  /** What stands behind it: `DIR`, `FIRST-LAST`, `relay|nftables`; null for a switch. */
  readonly takes: string | null
  readonly about: string
  /** The variable of the environment that does the same. */
  readonly variable?: string
  /** What counts without it, as it would be written. */
  readonly fallback?: string
  readonly isRequired?: boolean
  /** Takes several values, and may be given again. */
  readonly isList?: boolean
  /** The name of another option that contradicts it. */
  readonly excludes?: string
}

export interface Command {
  readonly name: string
  /** What stands behind the name: `bash|zsh|fish`, or `ID…` for one or more of any; null for nothing. */
  readonly operand: string | null
  readonly about: string
  readonly options: readonly CommandOption[]
  /** Those that stand for keys of the configuration, in a group of their own. */
  readonly configOptions: readonly CommandOption[]
  readonly examples: readonly { readonly line: string; readonly about: string }[]
}

const config = optionOf(configSetting, 'c')

/** --config, --listen, --upstream and the others that stand for a key of the file. */
export const configOptions: readonly CommandOption[] = [
  config,
  ...settings.flatMap((setting) => (setting.flag === null ? [] : [optionOf(setting)])),
]

const adminOption: CommandOption = {
  name: 'admin',
  takes: 'ADDR:PORT',
  about: 'its admin listener',
  variable: 'FTP_ALG_ADMIN',
  fallback: '127.0.0.1:9121',
}

/** Which proxy, and the right to change something there. */
const operatorOptions: readonly CommandOption[] = [
  adminOption,
  { ...config, about: 'its configuration, which names the admin listener and the token' },
  { name: 'token', takes: 'FILE', about: 'the token of admin.token', variable: 'FTP_ALG_ADMIN_TOKEN' },
]

const listenerOption: CommandOption = {
  name: 'listener',
  takes: 'NAME',
  about: 'only these listeners',
  isList: true,
}

export const commands: readonly Command[] = [
  {
    name: 'run',
    operand: null,
    about: 'run the proxy',
    options: [
      { name: 'record', takes: 'DIR', about: 'write a transcript of each session there, secrets masked' },
    ],
    configOptions,
    examples: [
      { line: 'run', about: `with ${defaultConfigFile}` },
      {
        line: 'run --upstream ftp.example.net',
        about: 'in front of one server, no file',
      },
    ],
  },
  {
    name: 'check',
    operand: null,
    about: 'validate the configuration and print what it means',
    options: [
      { name: 'print-schema', takes: null, about: 'print the JSON Schema of the configuration file' },
      { name: 'quiet', alias: 'q', takes: null, about: 'say only what is wrong' },
    ],
    configOptions,
    examples: [
      {
        line: 'check -c edge.yaml',
        about: 'every mistake with line and column, or the effective configuration',
      },
      { line: 'check --quiet && systemctl reload ftp-alg', about: 'in a script' },
    ],
  },
  {
    name: 'firewall',
    operand: null,
    about: 'print the nftables rules that the configuration needs',
    // No defaults: to the parser a false one is given, and contradicts.
    options: [
      { name: 'apply', takes: null, about: 'put them in place', excludes: 'remove' },
      { name: 'remove', takes: null, about: 'take them away' },
    ],
    configOptions,
    examples: [{ line: 'firewall -c edge.yaml --apply', about: 'redirect clients to the proxy' }],
  },
  {
    name: 'doctor',
    operand: null,
    about: 'can this machine do what the configuration asks?',
    options: [
      { name: 'try', takes: null, about: 'transfer through the proxy that runs, each way' },
      {
        name: 'limits',
        takes: 'N',
        about:
          'open up to N sessions at once at each server, to find its limit for one address; with --user they log in',
      },
      {
        name: 'user',
        takes: 'NAME',
        about: 'who transfers; the password is FTP_ALG_TRY_PASSWORD, or a line on standard input',
        fallback: 'anonymous',
      },
    ],
    configOptions,
    examples: [
      { line: 'doctor -c edge.yaml', about: 'one line for each check, with the cure' },
      { line: 'doctor -c edge.yaml --try --user anna', about: 'and whether transfers work' },
      {
        line: 'doctor -c edge.yaml --limits 12',
        about: 'and whether the servers take 12 sessions from here',
      },
    ],
  },
  {
    name: 'explain',
    operand: null,
    about: 'say where a client would be sent, and why',
    options: [
      { name: 'client', takes: 'ADDR', about: 'its address', isRequired: true },
      { name: 'user', takes: 'NAME', about: 'what it says with USER' },
      { name: 'sni', takes: 'HOST', about: 'what it asks for with TLS' },
      { name: 'host', takes: 'HOST', about: 'what it says with HOST' },
      { name: 'listener', takes: 'NAME', about: 'only this one' },
    ],
    configOptions,
    examples: [{ line: 'explain --client 10.0.0.5 --user anna', about: 'by which route, to which server' }],
  },
  {
    name: 'k8s-ports',
    operand: null,
    about: 'print the data ports as entries of a Kubernetes Service',
    options: [
      { name: 'range', takes: 'FIRST-LAST', about: 'these ports instead of those of the configuration' },
      { name: 'service', takes: 'NAME', about: 'print a whole Service' },
      { name: 'node-ports', takes: null, about: 'ask for node ports of the same numbers' },
    ],
    configOptions,
    examples: [{ line: 'k8s-ports --range 30000-30049 --service ftp-alg', about: 'no configuration needed' }],
  },
  {
    name: 'status',
    operand: null,
    about: 'show what a running proxy is doing',
    options: [
      adminOption,
      { ...config, about: 'its configuration, which names the admin listener' },
      { name: 'json', takes: null, about: 'print everything as JSON' },
    ],
    configOptions: [],
    examples: [{ line: 'status --admin 10.0.0.5:9121', about: 'of another machine' }],
  },
  {
    name: 'end',
    operand: 'ID…',
    about: 'end sessions of a running proxy',
    options: operatorOptions,
    configOptions: [],
    examples: [{ line: 'end k3v9x0q2m1', about: 'the session that status shows with this id' }],
  },
  {
    name: 'drain',
    operand: null,
    about: 'let a running proxy take no new sessions',
    options: [
      ...operatorOptions,
      listenerOption,
      { name: 'end', takes: null, about: 'end idle sessions too, and the others after their transfers' },
      { name: 'wait', takes: 'DURATION', about: 'wait until no session is left' },
    ],
    configOptions: [],
    examples: [{ line: 'drain --wait 5m', about: 'before maintenance' }],
  },
  {
    name: 'resume',
    operand: null,
    about: 'let a drained proxy take sessions again',
    options: [...operatorOptions, listenerOption],
    configOptions: [],
    examples: [{ line: 'resume', about: 'after it' }],
  },
  {
    name: 'demo',
    operand: null,
    about: 'show on loopback what the proxy does',
    options: [],
    configOptions: [],
    examples: [
      { line: 'demo', about: 'a server, the proxy and a client: every line before and after rewriting' },
    ],
  },
  {
    name: 'completion',
    operand: 'bash|zsh|fish',
    about: 'print the completion of commands and options for a shell',
    options: [],
    configOptions: [],
    examples: [{ line: 'completion bash > ftp-alg.bash', about: 'then: source ftp-alg.bash' }],
  },
]

/** What the process says with its exit code, from `errorCodes`. */
export const exitCodes: readonly { readonly code: number; readonly meaning: string }[] = [
  { code: 0, meaning: 'ok' },
  { code: 1, meaning: 'failure at run time' },
  { code: 2, meaning: 'mistake in the command line or the configuration' },
  { code: 3, meaning: 'a privilege, a kernel feature or the right Node.js is missing' },
]

/** `['run', 'check', …]`. */
export const commandNames = commands.map(({ name }) => name)

export function optionsOf({ options, configOptions }: Command): readonly CommandOption[] {
  return [...options, ...configOptions]
}

/** The words of `relay|nftables`; empty where any text is taken. */
export function choicesOf(takes: string | null): readonly string[] {
  return takes !== null && /^[a-z]+(\|[a-z]+)+$/.test(takes) ? takes.split('|') : []
}

function optionOf(setting: Setting | typeof configSetting, alias?: string): CommandOption {
  const { flag, takes, about, variable, fallback } = setting
  return {
    name: flag ?? '',
    ...(alias === undefined ? {} : { alias }),
    takes,
    about,
    variable,
    ...(fallback === undefined ? {} : { fallback }),
  }
}
