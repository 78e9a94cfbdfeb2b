// The keys that can also be set from outside the file. This table is the whole list: a variable that is not in it
// is not read, however it begins. (Kubernetes sets FTP_ALG_PORT and FTP_ALG_SERVICE_HOST by itself for a Service
// called ftp-alg.)

export interface Setting {
  /** `FTP_ALG_DATA_PORTS`. */
  readonly variable: string
  /** The same on the command line, without dashes in front: `data-ports`. Null: by environment only. */
  readonly flag: string | null
  /** What stands behind the flag in the usage text: `FIRST-LAST`. */
  readonly takes: string
  readonly about: string
  /** Its default as the usage text has it; the schema has it too, and a test holds them equal. */
  readonly fallback?: string
  /** Whether `path` starts at the top of the file or in the only listener. */
  readonly of: 'file' | 'listener'
  readonly path: readonly string[]
  /** From text to what the file would hold there; without it, the text itself. */
  read?(text: string): unknown
}

/** Read by the commands when nothing names another. */
export const defaultConfigFile = '/etc/ftp-alg/config.yaml'

/** Where one of these says what to do without a file, `defaultConfigFile` is not read. */
export const settingsWithoutFile = ['upstream', 'intercept'] as const

/** The one setting that is no key of the file: which file to read. */
export const configSetting = {
  variable: 'FTP_ALG_CONFIG',
  flag: 'config',
  takes: 'FILE',
  about: 'the YAML file',
  fallback: defaultConfigFile,
} as const

/** In the order of the file. */
export const settings: readonly Setting[] = [
  {
    variable: 'FTP_ALG_LISTEN',
    flag: 'listen',
    takes: 'ADDR:PORT',
    about: 'where clients connect',
    fallback: '0.0.0.0:2121',
    of: 'listener',
    path: ['listen'],
  },
  {
    variable: 'FTP_ALG_INTERCEPT',
    flag: 'intercept',
    takes: 'none|redirect|tproxy',
    about: 'how clients get here',
    fallback: 'none',
    of: 'listener',
    path: ['intercept'],
  },
  {
    variable: 'FTP_ALG_UPSTREAM',
    flag: 'upstream',
    takes: 'HOST[:PORT]',
    about: 'the FTP server behind us',
    of: 'listener',
    path: ['upstream'],
  },
  {
    variable: 'FTP_ALG_UPSTREAM_MODE',
    flag: 'upstream-mode',
    takes: 'client|passive|active',
    about: 'how data connections with the server are opened',
    fallback: 'client',
    of: 'listener',
    path: ['upstreamMode'],
  },
  {
    variable: 'FTP_ALG_ADVERTISE',
    flag: 'advertise',
    takes: 'ADDR',
    about: 'the address in 227 replies to all clients; replaces the list in the file',
    of: 'listener',
    path: ['advertise', 'clients'],
    read: (text) => [{ to: 'any', address: text }],
  },
  {
    variable: 'FTP_ALG_DATA_PORTS',
    flag: 'data-ports',
    takes: 'FIRST-LAST',
    about: 'one pool of ports for data connections; a slice set elsewhere still cuts it',
    fallback: '30000-30999',
    of: 'file',
    path: ['dataPorts'],
  },
  {
    variable: 'FTP_ALG_SLICE_INDEX',
    flag: null,
    takes: 'N',
    about: 'which slice of the data ports is ours, counted from 0',
    of: 'file',
    path: ['dataPorts', 'slice', 'index'],
    read: readInteger,
  },
  {
    variable: 'FTP_ALG_SLICE_OF',
    flag: null,
    takes: 'N',
    about: 'how many instances share the data ports',
    of: 'file',
    path: ['dataPorts', 'slice', 'of'],
    read: readInteger,
  },
  {
    variable: 'FTP_ALG_PINHOLES',
    flag: 'pinholes',
    takes: 'relay|nftables',
    about: 'who moves the bytes of data connections',
    fallback: 'relay',
    of: 'file',
    path: ['pinholes', 'backend'],
  },
  {
    variable: 'FTP_ALG_ADMIN',
    flag: 'admin',
    takes: 'ADDR:PORT',
    about: 'metrics, health and the status page; off switches them off',
    fallback: '127.0.0.1:9121',
    of: 'file',
    path: ['admin'],
    read: (text) => (text === 'off' ? false : { listen: text }),
  },
  {
    variable: 'FTP_ALG_LOG_LEVEL',
    flag: 'log-level',
    takes: 'debug|info|warn|error',
    about: 'the least important lines that are written',
    fallback: 'info',
    of: 'file',
    path: ['log', 'level'],
  },
  {
    variable: 'FTP_ALG_LOG_FORMAT',
    flag: 'log-format',
    takes: 'json|pretty',
    about: 'one JSON object a line, or lines for people',
    fallback: 'json',
    of: 'file',
    path: ['log', 'format'],
  },
  {
    variable: 'FTP_ALG_WORKERS',
    flag: 'workers',
    takes: 'N',
    about: 'processes that share the work',
    fallback: '1',
    of: 'file',
    path: ['workers'],
    read: readInteger,
  },
]

/** Values from the command line by flag name without dashes, as yargs gives them: text, or a list of texts. */
export type Flags = Readonly<Record<string, unknown>>
export type Environment = Readonly<Record<string, string | undefined>>

/** A value that replaces what the file says. */
export interface Override {
  readonly setting: Setting
  /** How a mistake names it: `--listen` or `FTP_ALG_LISTEN`. */
  readonly origin: string
  readonly text: unknown
}

/** Flags win over the environment. A variable set to nothing counts as not set. */
export function overridesOf(flags: Flags, environment: Environment): Override[] {
  return settings.flatMap((setting) => {
    const flag = setting.flag === null ? undefined : flags[setting.flag]
    if (flag !== undefined) return [{ setting, origin: `--${setting.flag}`, text: flag }]
    const text = environment[setting.variable]
    return text === undefined || text === '' ? [] : [{ setting, origin: setting.variable, text }]
  })
}

/** Text that is no whole number stays text, so that the schema can say what is wrong with it. */
function readInteger(text: string): unknown {
  return /^(0|[1-9][0-9]{0,14})$/.test(text) ? Number(text) : text
}
