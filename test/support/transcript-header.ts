import { parseDestination } from '../../src/config/login-schema.ts'
import type { PassthroughKind, UpstreamFact } from '../../src/engine/contract.ts'
import type { ServerTlsPolicy, UpstreamManner } from '../../src/engine/manner.ts'
import { type Shown, shownRecords } from '../../src/engine/notation.ts'
import type { EngineOptions, WelcomePolicy } from '../../src/engine/options.ts'
import type { Policy } from '../../src/engine/policy.ts'
import type { Endpoint } from '../../src/ftp/endpoints.ts'
import { welcomeBy, welcomeByLogin } from '../../src/net/session/welcome.ts'
import { DestinationList } from '../../src/routing/destinations.ts'
import { type RouteRule, Routes } from '../../src/routing/routes.ts'
import { readEndpoint } from './transcript-notation.ts'

/** The circumstances of a conversation. Each has a word of its own in the header, all may be left out. */
export interface Header {
  /**
   * `client 192.0.2.9`, `mode client|passive|active`, `verbs PASV EPSV`, `reach first`, `policy bounce=refuse …`,
   * `own 203.0.113.9`, `tls client=required clientData=client server=required serverData=required`, `passthrough explicit|implicit`,
   * `routes partners:user=partner-* a:serverName=a.example.net,host=a.* inner:clients=10.0.0.0/8 default`,
   * `login *.example.net:21 10.9.0.0/16:21`, `asked a.example.net` (of a balancer, with TLS)
   */
  readonly options: EngineOptions
  /** `server 198.51.100.7:21` */
  readonly server: Endpoint
  /** `knows refusesEpsv refusesEprt` */
  readonly knows: readonly UpstreamFact[]
  /** `start logged in`: what has happened before the first line, unseen. */
  readonly start: Start
  /** `show rewrites transfers`: what is recorded beyond refusals and protocol errors. */
  readonly shown: ReadonlySet<Shown>
}

export type Start = 'nothing' | 'connected' | 'greeted' | 'logged in'

export const defaultPolicy: Policy = {
  bounce: 'refuse',
  pasvAddress: 'control-peer',
  minPort: 1024,
  fxp: [],
  maxRefusals: 10,
  maxLineBytes: 4096,
}

/** Reads the header's lines, comments left out. */
export function readHeader(lines: readonly string[]): Header {
  const said = new Map<string, string>()
  for (const line of lines) {
    const [word = '', ...rest] = line.split(' ')
    said.set(oneOf(word, headerWords), rest.join(' '))
  }
  const words = (word: HeaderWord) => (said.get(word) ?? '').split(' ').filter((value) => value !== '')
  const own = new Set(words('own'))
  return {
    options: {
      client: said.get('client') ?? '192.0.2.9',
      upstreamMode: oneOf(said.get('mode') ?? 'client', modes),
      upstreamVerbs: words('verbs').map((verb) => oneOf(verb, dataVerbs)),
      reachesFirst: said.has('reach'),
      policy: { ...defaultPolicy, ...readPolicy(words('policy')) },
      isOwnAddress: (address) => own.has(address),
      tls: readTls(words('tls')),
      passthrough: readPassthrough(said.get('passthrough')),
      serverName: said.get('asked') ?? null,
      welcome:
        readRoutes(words('routes'), said.get('client') ?? '192.0.2.9') ?? readLogin(words('login'), own),
    },
    server: readEndpoint(said.get('server') ?? '198.51.100.7:21'),
    knows: words('knows').map((fact) => oneOf(fact, ['refusesEpsv', 'refusesEprt'])),
    start: oneOf(said.get('start') ?? 'connected', ['nothing', 'connected', 'greeted', 'logged in']),
    shown: new Set(words('show').map((word) => oneOf(word, shownRecords))),
  }
}

const modes = ['client', 'passive', 'active'] as const
const dataVerbs = ['PASV', 'EPSV', 'PORT', 'EPRT'] as const

const headerWords = [
  'client',
  'server',
  'mode',
  'verbs',
  'reach',
  'policy',
  'tls',
  'passthrough',
  'routes',
  'login',
  'asked',
  'knows',
  'own',
  'start',
  'show',
] as const
type HeaderWord = (typeof headerWords)[number]

function readPolicy(settings: readonly string[]): Partial<Policy> {
  const read: { -readonly [Key in keyof Policy]?: Policy[Key] } = {}
  for (const setting of settings) {
    const [key = '', value = ''] = setting.split('=')
    switch (oneOf(key, ['bounce', 'pasvAddress', 'minPort', 'fxp', 'maxRefusals', 'maxLineBytes'])) {
      case 'bounce':
        read.bounce = oneOf(value, ['refuse', 'use-control-peer'])
        break
      case 'pasvAddress':
        read.pasvAddress = readPasvAddress(value)
        break
      case 'fxp':
        read.fxp = value.split(',')
        break
      case 'minPort':
        read.minPort = Number(value)
        break
      case 'maxRefusals':
        read.maxRefusals = Number(value)
        break
      case 'maxLineBytes':
        read.maxLineBytes = Number(value)
        break
    }
  }
  return read
}

function readPassthrough(kind: string | undefined): PassthroughKind | null {
  return kind === undefined ? null : oneOf(kind, ['explicit', 'implicit'])
}

/** Null without a word: neither side has TLS. */
function readTls(settings: readonly string[]): NonNullable<EngineOptions['tls']> | null {
  if (settings.length === 0) return null
  const said = new Map(settings.map((setting) => setting.split('=') as [string, string]))
  return {
    client: {
      mode: oneOf(said.get('client') ?? 'off', ['off', 'optional', 'required', 'implicit']),
      dataProtection: oneOf(said.get('clientData') ?? 'client', ['client', 'required', 'never']),
      ccc: oneOf(said.get('ccc') ?? 'refuse', ['refuse', 'allow']),
    },
    server: readServerTls(said),
  }
}

function readServerTls(said: ReadonlyMap<string, string>): ServerTlsPolicy | null {
  const server = oneOf(said.get('server') ?? 'off', ['off', 'as-client', 'optional', 'required', 'implicit'])
  if (server === 'off') return null
  return {
    followsClient: server === 'as-client',
    isImplicit: server === 'implicit',
    dataProtection: oneOf(said.get('serverData') ?? 'required', ['as-client', 'required', 'never']),
  }
}

/** `mode=passive verbs=EPSV,PASV server=required serverData=as-client`, word by word. */
export function readManner(settings: readonly string[]): UpstreamManner {
  const said = new Map(settings.map((setting) => setting.split('=') as [string, string]))
  return {
    upstreamMode: oneOf(said.get('mode') ?? 'client', modes),
    upstreamVerbs: (said.get('verbs')?.split(',') ?? []).map((verb) => oneOf(verb, dataVerbs)),
    tls: readServerTls(said),
  }
}

/** Null without a word. A last `default` is the listener's own upstream. */
function readRoutes(written: readonly string[], client: string): WelcomePolicy | null {
  if (written.length === 0) return null
  const hasDefault = written.at(-1) === 'default'
  const rules = (hasDefault ? written.slice(0, -1) : written).map(readRoute)
  const routes = new Routes(rules, { hasDefault })
  return welcomeBy(routes, client)
}

/** Null without a word. Everybody may. */
function readLogin(written: readonly string[], own: ReadonlySet<string>): WelcomePolicy | null {
  if (written.length === 0) return null
  const rules = written.map((text) => {
    const parsed = parseDestination(text)
    if (!parsed.ok) throw new Error(`${text} ${parsed.reason}`)
    return parsed.value
  })
  const list = new DestinationList(rules, (address) => own.has(address))
  return welcomeByLogin({ clients: ['any'], list, notation: `login ${written.join(' ')}` }, '192.0.2.9')
}

function readRoute(written: string): RouteRule {
  const [name = '', conditions = ''] = written.split(':')
  const said = new Map(
    conditions.split(',').flatMap((each): [string, string][] => {
      const [key = '', value = ''] = each.split('=')
      if (each === '') return []
      return [[oneOf(key, ['clients', 'serverName', 'host', 'user']), decodeURIComponent(value)]]
    }),
  )
  const clients = said.get('clients')
  return {
    name,
    clients: clients?.split(' ') ?? [],
    serverName: said.get('serverName') ?? null,
    host: said.get('host') ?? null,
    user: said.get('user') ?? null,
  }
}

/** A word, or networks separated by commas. */
function readPasvAddress(value: string): Policy['pasvAddress'] {
  if (/[/,]|^any$/.test(value)) return value.split(',')
  return oneOf(value, ['control-peer', 'must-match'])
}

/** `value` as one of the values that are allowed. Throws an `Error` with all of them. */
function oneOf<const Value extends string>(value: string, allowed: readonly Value[]): Value {
  const found = allowed.find((each) => each === value)
  if (found === undefined) throw new Error(`"${value}" is none of ${allowed.join(', ')}`)
  return found
}
