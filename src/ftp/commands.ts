/** What the proxy must know of a verb before it sees the reply. */
export interface VerbTraits {
  /** Moves a file or a listing over the data channel. */
  readonly transfer?: 'upload' | 'download'
  /** Its argument never reaches a log. */
  readonly secret?: true
  /** Opens a data path that nobody tracks: refused with 502 and taken out of FEAT. */
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
    'MFMT MFCT MFF CLNT CSID PRET AVBL COMB DSIZ RMDA THMB XCUP XCWD XMKD XPWD XRMD XCRC XMD5 XSHA',
    plain,
  ),
  ...each('XSHA1 XSHA256 XSHA512 HASH RANG MD5 MMD5 TVFS UTF8 ACCT', plain),
  ...each('RETR LIST NLST MLSD', download),
  ...each('STOR STOU APPE', upload),
  ...each('PASS ACCT ADAT MIC CONF ENC', secret),
  ...each('LPRT LPSV CPSV SSCN SPSV ESTP', forbidden),
])

/** Reads a line of a control channel; never fails, a line of nonsense is an unknown verb. */
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

/** The line as a log may show it: `'PASS hunter2'` gives `'PASS ***'`. Escaping is the log's business. */
export function maskCommand({ verb, argument, line, traits }: Command): string {
  return traits?.secret === true && argument !== '' ? `${verb} ***` : line
}

function each(list: string, traits: VerbTraits): [string, VerbTraits][] {
  return list.split(' ').map((verb) => [verb, traits])
}
