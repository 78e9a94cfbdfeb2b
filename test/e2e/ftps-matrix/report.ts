// The section on FTPS in docs/compatibility.md: what the last whole run of its matrix showed.

import { type Front, fronts, servers, waysOf } from './setting.ts'

export type Outcome = 'works' | 'fails' | 'refused'

export interface FtpsReport {
  /** Rows of each table, in order. */
  readonly rows: Readonly<Record<Front, readonly string[]>>
  /** By `keyOf`. */
  readonly outcomes: ReadonlyMap<string, Outcome>
}

export function keyOf(front: Front, row: string, server: string): string {
  return `${front} | ${row} | ${server}`
}

const titles: Readonly<Record<Front, string>> = {
  plain: 'Clients without TLS',
  explicit: 'Clients with explicit TLS (`AUTH TLS`)',
  implicit: 'Clients with implicit TLS',
}
const words: Readonly<Record<Outcome, string>> = { works: 'yes', fails: '**NO**', refused: '522' }

/** Throws when a combination has no outcome: a table with holes is not written. */
export function ftpsSection({ rows, outcomes }: FtpsReport): string {
  const tables = fronts.map((front) => {
    const columns = servers.filter((server) => waysOf(front).some((way) => way.server === server))
    const lines = rows[front].map((row) => {
      const cells = columns.map(({ name }) => {
        const outcome = outcomes.get(keyOf(front, row, name))
        if (outcome === undefined) throw new Error(`no outcome for ${keyOf(front, row, name)}`)
        return words[outcome]
      })
      return `| ${row} | ${cells.join(' | ')} |`
    })
    return [
      `### ${titles[front]}`,
      '',
      `| client | ${columns.map(({ name }) => name).join(' | ')} |`,
      `|---|${columns.map(() => '---|').join('')}`,
      ...lines,
    ].join('\n')
  })
  return `${[introduction, ...tables].join('\n\n')}\n`
}

export const ftpsHeading = '## FTPS'

const introduction = `${ftpsHeading}

Written by \`test/e2e/ftps-matrix.test.ts\`: TLS with clients, with servers and with both. Servers accept control and data
connections in TLS only (but in the columns *no TLS*, where it ends in ftp-alg); vsftpd (\`require_ssl_reuse\`) and ProFTPD
also insist on data connections that resume the session of their control connection, and so does ftp-alg (\`dataReuse: required\`)
unless a row says otherwise. Certificates are checked by clients and by ftp-alg.

- A row with the client's name alone is one session as above: files of three sizes both ways, a listing, and resumed transfers.
- *8 downloads, 4 uploads*: eight files in one session, then four the other way in another.
- *CCC*: the control connection goes on in clear after the login, three downloads and an upload follow.
- *522*: the client does not resume, and is refused.

pyftpdlib 1.5.7 fails with TLS of today’s OpenSSL for curl and others directly, and is not here with it.`
