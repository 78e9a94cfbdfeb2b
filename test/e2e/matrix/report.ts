// docs/compatibility.md: what the last whole run of the matrix showed. The same results give the same text.

import type { FtpClient } from '../../support/clients/client.ts'
import {
  allWays,
  type Combination,
  keyOf,
  largeCombinations,
  routes,
  upstreamModes,
  waysOf,
} from './combinations.ts'

export type Outcome = 'works' | 'fails'

export interface ReportInput {
  readonly servers: readonly { readonly kind: Combination['server']; readonly version: string }[]
  readonly clients: readonly { readonly client: FtpClient; readonly version: string }[]
  readonly outcomes: ReadonlyMap<string, Outcome>
}

/** Throws when a combination has no outcome: a table with holes is not written. */
export function compatibilityReport({ servers, clients, outcomes }: ReportInput): string {
  const sections = servers.map(({ kind, version }) => {
    const rows = clients.flatMap(({ client }) =>
      waysOf(client).map((way) => {
        const cells = routes.map((route) => cell({ server: kind, client, ...way, route }, outcomes))
        return `| ${client.name} | ${familyNames[way.family]} | ${way.mode} | ${cells.join(' | ')} |`
      }),
    )
    return [
      `## ${kind} ${version}`,
      '',
      '| client | family | command | direct | `client` | `passive` | `active` |',
      '|---|---|---|---|---|---|---|',
      ...rows,
    ].join('\n')
  })
  return `${[introduction(servers, clients), ...sections, cannotTable(clients)].join('\n\n')}\n`
}

const familyNames = { ipv4: 'IPv4', ipv6: 'IPv6' } as const

function cell(combination: Combination, outcomes: ReportInput['outcomes']): string {
  const key = keyOf(combination)
  const outcome = outcomes.get(key)
  if (outcome === undefined) throw new Error(`no outcome for ${key}`)
  return `${outcome === 'works' ? 'yes' : '**NO**'}${largeCombinations.has(key) ? ', 50 MiB' : ''}`
}

function introduction(servers: ReportInput['servers'], clients: ReportInput['clients']): string {
  const list = (items: readonly string[]) => items.join(', ')
  return `# Compatibility

This page is written by the end-to-end tests (\`npm run test:e2e\`): every cell is a real session of a real client
with a real server through a real \`ftp-alg\`, each in its own network namespace.

- Servers: ${list(servers.map(({ kind, version }) => `${kind} ${version}`))}.
- Clients: ${list(clients.map(({ client, version }) => `${client.name} ${version}`))}.
- One session downloads and uploads 0 bytes, 1 byte and 64 KiB, lists a folder, and resumes a download (\`REST\`) and
  an upload (\`APPE\`, or \`REST\` and \`STOR\`). *yes* means that every SHA-256 was equal, the folder was listed, and
  the client sent only the command of its row. *50 MiB* means that a file of that size went both ways too.
- The columns are the ways to the server: *direct*, without ftp-alg, and the three values of \`upstreamMode\`
  (${upstreamModes.map((mode) => `\`${mode}\``).join(', ')}).
- Through ftp-alg, no packet passes between client and server except by way of ftp-alg, and the server's firewall
  lets only the right kind of data connection through: for \`passive\` it refuses every outgoing connection, for
  \`active\` every incoming one except to port 21, and for \`client\` whichever the client did not ask for.
- Options of clients that hide a wrong address in a 227 reply are switched off.`
}

function cannotTable(clients: ReportInput['clients']): string {
  const rows = clients.flatMap(({ client }) => [
    ...allWays.flatMap((way) => {
      const reason = client.cannotUse(way)
      return reason === null
        ? []
        : [`| ${client.name} | ${way.mode} on ${familyNames[way.family]} | ${reason} |`]
    }),
    ...(['upload', 'resumeUpload'] as const).flatMap((kind) => {
      const reason = client.cannotDo(kind)
      return reason === null ? [] : [`| ${client.name} | ${kindNames[kind]} | ${reason} |`]
    }),
  ])
  return ['## What a client cannot do', '', '| client | what | why |', '|---|---|---|', ...rows].join('\n')
}

const kindNames = { upload: 'upload', resumeUpload: 'resumed upload' } as const
