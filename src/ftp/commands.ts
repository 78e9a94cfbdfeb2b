/** What the proxy must know of a verb before it sees the reply. */
export interface VerbTraits {
  /** Moves a file or a listing over the data channel. */
  readonly transfer?: 'upload' | 'download'
  /** Its argument never reaches a log. */
  readonly secret?: true
  /** Opens a data path that cannot be tracked: refused with 502 and taken out of FEAT. */
  readonly forbidden?: true
}

/** One line from the client, taken apart. `'retr a b'` gives verb `RETR`, argument `'a b'`. */
export interface Command {
  /** Upper case. */
  readonly verb: string
  /** Everything after the first space, as it came; empty without one. */
  readonly argument: string
  /** The line as it came, without line end. */
  readonly line: string
  /** Null for a verb in no RFC and no server that we know of. */
  readonly traits: VerbTraits | null
}

const plain: VerbTraits = {}
const upload: VerbTraits = { transfer: 'upload' }
const download: VerbTraits = { transfer: 'download' }
const secret: VerbTraits = { secret: true }
const forbidden: VerbTraits = { forbidden: true }

/**
 * Every verb of RFC 775, 959, 1123, 1545, 1639, 2228, 2389, 2428, 2640, 3659, 4217, 6384 and 7151, and those that
 * common servers and clients added. Also the closed set of the `command` label.
 */
export const verbs: ReadonlyMap<string, VerbTraits> = new Map<string, VerbTraits>([
  ...each(
    'USER CWD CDUP SMNT REIN QUIT PORT PASV TYPE STRU MODE ALLO REST RNFR RNTO ABOR DELE RMD MKD PWD',
    plain,
  ),
  ...each(
    'SITE SYST STAT HELP NOOP FEAT OPTS LANG MDTM SIZE MLST HOST ALGS EPRT EPSV AUTH PBSZ PROT CCC',
    plain,
  ),
  ...each(
    'MFMT MFCT MFF OPEN CLNT CSID PRET AVBL COMB DSIZ RMDA THMB XCUP XCWD XMKD XPWD XRMD XCRC XMD5 XSHA',
    plain,
  ),
  ...each('XSHA1 XSHA256 XSHA512 HASH RANG MD5 MMD5 TVFS UTF8', plain),
  ...each('RETR LIST NLST MLSD', download),
  ...each('STOR STOU APPE', upload),
  ...each('PASS ACCT ADAT MIC CONF ENC', secret),
  ...each('LPRT LPSV CPSV SSCN SPSV ESTP', forbidden),
])

/**
 * Reads a line of a control channel; never fails, a line of nonsense is an unknown verb. The verb of `' PORT 1,2'` is
 * empty: see `isVerb`.
 */
export function parseCommand(line: string): Command {
  const space = line.indexOf(' ')
  const verb = (space < 0 ? line : line.slice(0, space)).toUpperCase()
  return {
    verb,
    argument: space < 0 ? '' : line.slice(space + 1),
    line,
    traits: verbs.get(verb) ?? null,
  }
}

/**
 * Printable ASCII and not empty. Servers disagree on anything else: ProFTPD skips spaces before a verb, Telnet-minded
 * ones drop bytes inside it, so `' PORT 6,6,6,6,0,25'` would be a PORT to them and an unknown verb to us (S13).
 */
export function isVerb(verb: string): boolean {
  for (let at = 0; at < verb.length; at += 1) {
    const code = verb.charCodeAt(at)
    if (code <= 32 || code >= 127) return false
  }
  return verb !== ''
}

/**
 * The line as a log may show it. Escaping is the log's business.
 *
 * `'PASS hunter2'` gives `'PASS ***'`, and so do `'SITE PSWD old new'` and verbs that nobody knows: a mistyped PASS is
 * one of them. What does not even begin with a verb is not shown at all.
 */
export function maskCommand({ verb, argument, line, traits }: Command): string {
  if (argument === '') return isVerb(verb) ? line : ''
  if (traits === null) return isVerb(verb) ? `${verb} ***` : '***'
  if (traits.secret === true) return `${verb} ***`
  return verb === 'SITE' && siteSecret.test(argument) ? `${verb} ***` : line
}

/** Password changes of Serv-U, IIS, glFTPD and others. */
const siteSecret = /^ *(PSWD|PASS|PASSWD|PASSWORD|CHPASS|CPWD|ADDUSER)\b/i

function each(list: string, traits: VerbTraits): [string, VerbTraits][] {
  return list.split(' ').map((verb) => [verb, traits])
}
