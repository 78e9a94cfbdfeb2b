// Conversations that a client and a server might have, drawn from a number: what the client says, what the server
// answers, and which files go over data connections. Nothing in them depends on time.

import type { Random } from './random.ts'

/** A command that opens no data connection and the whole answer to it, with its line ends. */
export interface Exchange {
  readonly line: string
  readonly answer: string
}

export type DialogueVerb = 'PASV' | 'EPSV' | 'PORT' | 'EPRT'

export type Step =
  /** All lines are sent at once. */
  | { readonly type: 'talk'; readonly exchanges: readonly Exchange[] }
  /** Null: the server accepts, in the words of `wording`. */
  | {
      readonly type: 'announce'
      readonly verb: DialogueVerb
      readonly refusal: string | null
      readonly wording: string
    }
  | ({ readonly type: 'transfer' } & DialogueTransfer)

export interface DialogueTransfer {
  readonly line: string
  readonly isUpload: boolean
  readonly size: number
  /** The first answer; null where the only one is `final`, a refusal. */
  readonly preliminary: string | null
  /** Said and answered while the data connection stands and nothing moves yet. */
  readonly asides: readonly Exchange[]
  /** The client sends ABOR in place of a file: then there are two final answers. */
  readonly isAborted: boolean
  readonly final: string
}

export interface Dialogue {
  readonly greeting: string
  readonly steps: readonly Step[]
  readonly goodbye: string
}

const CRLF = '\r\n'
/** The answer to ABOR that follows the one to the transfer. */
export const ABORTED: string = `226 ABOR command successful.${CRLF}`

/** `mayRefuse`: the server may refuse PASV, EPSV, PORT and EPRT, which a conversion hides from the client. */
export function drawDialogue(random: Random, { mayRefuse }: { readonly mayRefuse: boolean }): Dialogue {
  const steps: Step[] = [logIn(random)]
  const count = 4 + random.below(10)
  while (steps.length < count) {
    if (random.chance(55)) {
      steps.push({ type: 'talk', exchanges: drawExchanges(random, 1 + random.below(4)) })
      continue
    }
    const verb = random.oneOf<DialogueVerb>(['PASV', 'EPSV', 'PORT', 'EPRT'])
    const isRefused = mayRefuse && random.chance(20)
    const refusal = isRefused ? drawAnswer(random, [425, 500, 501, 502, 522]) : null
    steps.push({ type: 'announce', verb, refusal, wording: random.oneOf(wordings) })
    if (isRefused || random.chance(15)) continue
    if (random.chance(25)) steps.push({ type: 'talk', exchanges: drawExchanges(random, 1) })
    steps.push(drawTransfer(random))
  }
  return {
    greeting: drawAnswer(random, [220]),
    steps,
    goodbye: drawAnswer(random, [221]),
  }
}

const wordings = ['Entering Passive Mode', 'Passive', 'OK, go there:', 'M\xf6de =passif='] as const

function logIn(random: Random): Step {
  const user = random.oneOf(['joe', 'anonymous', 'DOMAIN\\joe', 'joe@host', 'j\xf6rg'])
  const needsNoPassword = random.chance(20)
  return {
    type: 'talk',
    exchanges: [
      { line: `USER ${user}`, answer: drawAnswer(random, needsNoPassword ? [230] : [331]) },
      ...(needsNoPassword ? [] : [{ line: 'PASS s3cret', answer: drawAnswer(random, [230, 202]) }]),
    ],
  }
}

/** Commands, each with what servers say to it. A name follows where the verb ends with a blank. */
const commands: readonly (readonly [command: string, ...codes: readonly [number, ...number[]]])[] = [
  ['CWD ', 250, 200, 550, 530],
  ['PWD', 257, 550],
  ['CDUP', 250, 200],
  ['MKD ', 257, 250, 550, 553],
  ['RMD ', 250, 550],
  ['DELE ', 250, 226, 450, 550],
  ['RNFR ', 350, 550],
  ['RNTO ', 250, 503, 553],
  ['SIZE ', 213, 550],
  ['MDTM ', 213, 550],
  ['SYST', 215, 502],
  ['NOOP', 200],
  ['HELP ', 214, 211, 502],
  ['STAT', 211, 212],
  ['STAT ', 213, 212, 211, 450],
  ['SITE ', 200, 202, 214, 500, 501],
  ['OPTS UTF8 ON', 200, 202, 501],
  ['CLNT ', 200, 500],
  ['TYPE I', 200, 250],
  ['MODE S', 200, 504],
  ['STRU F', 200, 504],
  ['ALLO 100', 202, 200],
  ['REST 0', 350, 502],
  ['MLST ', 250, 550],
  ['HASH ', 213, 550],
  ['XCRC ', 250, 200],
  ['MFMT ', 213, 500],
  ['XYZZY ', 500, 502, 200],
  ['noop', 200],
  ['cwd ', 250, 550],
  ['Site ', 200],
]

function drawExchanges(random: Random, count: number): Exchange[] {
  return Array.from({ length: count }, () => {
    if (random.chance(5)) return { line: 'FEAT', answer: FEATURES }
    const [command = 'NOOP', ...codes] = commands[random.below(commands.length)] ?? []
    const line = command.endsWith(' ') ? command + drawName(random) : command
    const [first = 200, ...others] = codes
    const answer = drawAnswer(random, [first, ...others])
    // Some servers answer twice.
    return { line, answer: count === 1 && random.chance(10) ? answer + drawAnswer(random, [first]) : answer }
  })
}

/** Whatever the server knows that we pass on; what we add for a conversion is there already. */
const FEATURES = [
  '211-Features:',
  ' EPRT',
  ' EPSV',
  ' MDTM',
  ' REST STREAM',
  ' SIZE',
  ' UTF8',
  '211 End',
  '',
].join(CRLF)

/** Names as they come: blanks, bytes of any alphabet, Telnet's 255 doubled or alone, long ones. */
function drawName(random: Random): string {
  const parts = [
    'a',
    'b.bin',
    ' ',
    '  ',
    '/',
    '..',
    '(',
    ')',
    ',',
    '|',
    '"',
    '\xe4',
    '\xff\xff',
    '\xef\xf0\xf2',
    '\xd0\xbf',
    '227 ',
    '%',
    '\\',
  ]
  const length = random.chance(5) ? 300 : 1 + random.below(8)
  return `f${Array.from({ length }, () => parts[random.below(parts.length)]).join('')}`
}

/** One line or several, in the ways that servers have. */
function drawAnswer(random: Random, codes: readonly [number, ...number[]]): string {
  const code = random.oneOf(codes)
  const end = random.chance(4) ? '\n' : CRLF
  const text = drawText(random)
  if (random.chance(75)) return `${code} ${text}${end}`
  const lines = Array.from({ length: random.below(6) }, () => {
    const prefix = random.oneOf([' ', '', `${code}-`, '200 x', '  220-'])
    // A line of its own code and a blank would be the last one, and of a line that begins as 227 we take the digits.
    return `${prefix}${drawText(random)}${end}`.replace(new RegExp(`^(${code} |22[79])`), ' $1')
  })
  return `${code}-${text}${end}${lines.join('')}${code} ${drawText(random)}${end}`
}

function drawText(random: Random): string {
  const words = [
    'ok',
    'Done.',
    '"/a ""b"""',
    '(1,2,3)',
    '\xc4',
    '\xff\xf4',
    '',
    '227',
    '|||',
    '213 ',
    'x'.repeat(200),
    '=',
    '\t',
  ]
  return Array.from({ length: random.below(5) }, () => words[random.below(words.length)]).join(' ')
}

function drawTransfer(random: Random): Step & { readonly type: 'transfer' } {
  const isUpload = random.chance(40)
  const verb = isUpload
    ? random.oneOf(['STOR', 'APPE', 'STOU'])
    : random.oneOf(['RETR', 'LIST', 'NLST', 'MLSD'])
  const isRefused = random.chance(20)
  const isAborted = !isRefused && random.chance(15)
  const final = isRefused
    ? ([450, 500, 530, 550, 553] as const)
    : isAborted
      ? ([426, 451] as const)
      : ([226, 250] as const)
  return {
    type: 'transfer',
    line: `${verb} ${drawName(random)}`,
    isUpload,
    size: random.oneOf([0, 1, 1000, 70_000]),
    preliminary: isRefused ? null : drawAnswer(random, [150, 125]),
    asides: isRefused || random.chance(70) ? [] : [{ line: 'NOOP', answer: drawAnswer(random, [200]) }],
    isAborted,
    final: drawAnswer(random, [...final]),
  }
}
