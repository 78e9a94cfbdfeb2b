import { parseArgs } from 'node:util'
import type { MeasureName } from './systems/system.ts'

export interface Options {
  readonly what: What
  /** Null: as many as the plan says. */
  readonly rounds: number | null
  /** Ids of the peers to keep; null keeps all of the plan. */
  readonly peers: readonly string[] | null
  readonly measures: readonly MeasureName[] | null
  /** The dist directory of another build, measured beside our own. */
  readonly against: string | null
  readonly write: boolean
  /** Of a soak. */
  readonly minutes: number
}

const plans = [
  'quick',
  'all',
  'relay',
  'nftables',
  'workers',
  'routes',
  'peers',
  'growth',
  'memory',
  'instrument',
  'profile',
  'soak',
  'soak-ftps',
  'tls',
] as const
export type What = (typeof plans)[number]

const measureNames = ['sessions', 'bulk', 'parallel', 'roundTrip', 'idle', 'growth', 'handshakes'] as const

export const usage = `npm run bench [-- PLAN] [options]

  quick       ftp-alg relay beside Squid, about three minutes (the default)
  all         everything, half an hour or more
  relay       ftp-alg relay beside every user-space peer
  nftables    ftp-alg nftables beside the kernel's nf_nat_ftp and Squid
  workers     ftp-alg with one and with two workers
  routes      ftp-alg with a server, a pool and routes
  peers       the peers alone
  memory      idle sessions at 2,000 and 5,000
  growth      cost of a session at 100 to 10,000 concurrent ones
  instrument  what the load client and server themselves cost
  profile     ftp-alg under a profiler: the functions that take the time
  tls         FTPS on Node 20 and 24 beside mod_proxy, HAProxy and stunnel, a quarter of an hour
  soak        twenty minutes of churn, aborts and hostile peers: does anything grow?
  soak-ftps   the same with TLS: broken handshakes, strangers, files cut off, certificates that change, and MALLOC_CHECK_=3

  --rounds N          so many rounds; each visits every system once per measure
  --peers A,B         only these peers: squid, suse, mod_proxy, haproxy, nf_nat_ftp, naive; none for no peer
  --measure A,B       only these: ${measureNames.join(', ')}
  --against DIR       another build of ftp-alg (its dist) beside this one
  --minutes N         of a soak, instead of twenty
  --write             write docs/benchmarks.md and its charts; of tls, its section on FTPS
`

export type Parsed =
  | { readonly ok: true; readonly options: Options }
  | { readonly ok: false; readonly problem: string }

export function parseOptions(argv: readonly string[]): Parsed {
  let parsed: ReturnType<typeof parse>
  try {
    parsed = parse(argv)
  } catch (error) {
    return { ok: false, problem: error instanceof Error ? error.message : String(error) }
  }
  const { values, positionals } = parsed
  const [word = 'quick', ...rest] = positionals
  const what = plans.find((plan) => plan === word)
  if (what === undefined || rest.length > 0) {
    return { ok: false, problem: `unknown plan ${[word, ...rest].join(' ')} (allowed: ${plans.join(', ')})` }
  }
  const rounds = values.rounds === undefined ? null : Number(values.rounds)
  if (rounds !== null && !(Number.isInteger(rounds) && rounds >= 1 && rounds <= 100)) {
    return { ok: false, problem: `--rounds ${values.rounds} (allowed: 1 to 100)` }
  }
  const minutes = Number(values.minutes ?? 20)
  if (!(minutes >= 1 && minutes <= 60)) {
    return { ok: false, problem: `--minutes ${values.minutes} (allowed: 1 to 60)` }
  }
  const wanted = listOf(values.measure)
  const measures =
    wanted?.map((name) => measureNames.find((known) => known.toLowerCase() === name.toLowerCase())) ?? null
  if (measures?.includes(undefined)) {
    return { ok: false, problem: `--measure ${values.measure} (allowed: ${measureNames.join(', ')})` }
  }
  return {
    ok: true,
    options: {
      what,
      rounds,
      peers: listOf(values.peers),
      measures: measures?.filter((name) => name !== undefined) ?? null,
      against: values.against ?? null,
      write: values.write,
      minutes,
    },
  }
}

function parse(argv: readonly string[]) {
  return parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      rounds: { type: 'string' },
      peers: { type: 'string' },
      measure: { type: 'string' },
      against: { type: 'string' },
      minutes: { type: 'string' },
      write: { type: 'boolean', default: false },
    },
  })
}

/** `'squid,suse'` gives two, `'none'` gives an empty list. */
function listOf(text: string | undefined): readonly string[] | null {
  if (text === undefined) return null
  return text === 'none' ? [] : text.split(',').map((part) => part.trim())
}
