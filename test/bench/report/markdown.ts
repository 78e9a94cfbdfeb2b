import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { InstrumentCost } from '../instrument.ts'
import { drawCharts } from './charts.ts'
import { formatNumber, formatRatio } from './number.ts'
import type { Table } from './summary.ts'
import { ratioOf } from './summary.ts'
import type { Verdict } from './targets.ts'

export interface Report {
  readonly tables: readonly Table[]
  readonly verdicts: readonly Verdict[]
  readonly instrument: InstrumentCost
  readonly systems: readonly { readonly id: string; readonly title: string; readonly version: string }[]
  /** Sentences on who is missing and why. */
  readonly refusals: readonly string[]
  readonly machine: string
  readonly rounds: number
  readonly cpuMethod: string
  /** A warning when others used the machine too. */
  readonly noise: string | null
  /** `npm run bench -- all --write` */
  readonly command: string
}

/** The checkout; the compiled benchmark lies in .cache/bench/bench/report. */
const repository = fileURLToPath(new URL('../../../../', import.meta.url))

const page = join(repository, 'docs', 'benchmarks.md')

/** Writes docs/benchmarks.md and docs/benchmarks/*.svg; returns their names. The section on FTPS stays as it is. */
export function writeReport(report: Report): string[] {
  return write(report, (titles, charts) => compose(report, titles, charts))
}

/** Writes the section on FTPS alone: it takes a run of its own. */
export function writeTlsSection(report: Report): string[] {
  return write(report, (titles, charts) => {
    const text = readFileSync(page, 'utf8')
    const section = tlsSection(report, titles, charts)
    const old = tlsSectionOf(text)
    return old === ''
      ? text.replace(runItYourself, `${section}\n\n${runItYourself}`)
      : text.replace(old, section)
  })
}

type Titles = ReadonlyMap<string, string>
type Charts = readonly { readonly name: string; readonly title: string }[]

function write(report: Report, textOf: (titles: Titles, charts: Charts) => string): string[] {
  const titles = new Map(report.systems.map(({ id, title }) => [id, title]))
  const charts = drawCharts(report.tables, titles)
  const directory = join(repository, 'docs', 'benchmarks')
  mkdirSync(directory, { recursive: true })
  for (const { name, svg } of charts) writeFileSync(join(directory, `${name}.svg`), svg)
  writeFileSync(page, textOf(titles, charts))
  return ['docs/benchmarks.md', ...charts.map(({ name }) => `docs/benchmarks/${name}.svg`)]
}

const runItYourself = '## Run it yourself'
const tlsHeading = '## FTPS'

/** From its heading to the next; empty when there is none. */
function tlsSectionOf(text: string): string {
  const begin = text.indexOf(`${tlsHeading}\n`)
  const end = text.indexOf('\n## ', begin + 1)
  return begin < 0 ? '' : text.slice(begin, end < 0 ? undefined : end).trimEnd()
}

function tlsSection(report: Report, titles: Titles, charts: Charts): string {
  const { command, rounds, machine, noise, tables, verdicts } = report
  return [
    tlsHeading,
    `This section is a run of its own, \`${command}\`: implicit FTPS with data connections in TLS, on the side or sides that the headings name. Client and server are node:tls, which prefers TLS 1.3 and TLS_AES_256_GCM_SHA384, with an ECDSA key (P-256); data connections resume the session of their control connection, which ftp-alg insists on. HAProxy and stunnel know no FTP: they carry each connection by itself, and the server announces their addresses. A cell is the median of the ratios within ${rounds} rounds.`,
    `Machine: ${machine}.${noise === null ? '' : ` ${noise}`}`,
    ...charts.map(({ name, title }) => `![${title}](benchmarks/${name}.svg)`),
    ...systemsSection(report),
    ...tables.map((table) => ratioSection(table, titles)),
    ...verdictsSection(verdicts),
    valuesDetails(tables, titles),
  ].join('\n\n')
}

function compose(report: Report, titles: Titles, charts: Charts): string {
  const { tables, verdicts, machine, rounds, cpuMethod, command } = report
  const ftps = existsSync(page) ? tlsSectionOf(readFileSync(page, 'utf8')) : ''
  const sections = [
    '# Benchmarks',
    `This page is written by \`${command}\`. Every figure is a ratio between systems measured in turn, round after round, on one machine in one run; absolute values say more about the machine than about the programs and stand only in the last section.`,
    charts.map(({ name, title }) => `![${title}](benchmarks/${name}.svg)`).join('\n\n'),
    `## How it is measured

Each system runs in a network namespace of its own, between the client's namespace and the server's, joined by veth pairs, so that what one system needs (connection tracking, NAT rules) costs the others nothing. All of them face the same load client and the same load server. Systems take turns within each round; a cell is the median of the ratios within ${rounds} rounds (memory: one fresh process).

TCP is Linux's with Reno, which like the usual CUBIC sends as soon as it may. CPU time is that of the system's whole process tree, threads and reaped children included (${cpuMethod}). Work that the kernel does on behalf of a connection is charged to whoever runs at that moment, for all systems alike. A session is: login, \`TYPE I\`, one passive \`RETR\` of 1 kB, \`QUIT\`. Every transfer is checked for its length, and each system's content is verified before it is measured.`,
    `## The instrument

${instrumentText(report.instrument)}`,
    `## Systems

Machine: ${machine}.${report.noise === null ? '' : `\n\n${report.noise}`}`,
    ...systemsSection(report),
    '## Results',
    ...tables.map((table) => ratioSection(table, titles)),
    ...(verdicts.length === 0 ? [] : ['## Targets', ...verdictsSection(verdicts)]),
    `## Medians of this run

Only for comparison with another run on the same machine.`,
    valuesDetails(tables, titles),
    ...(ftps === '' ? [] : [ftps]),
    `${runItYourself}

\`npm run bench\` compares the relay with Squid in about three minutes; \`npm run bench -- --help\` lists the rest. It needs root on Linux for the namespaces; the peers are taken from the system, or fetched as Debian packages into a cache. Without root it falls back to loopback, with ftp-alg and a naive relay only.

\`npm run bench -- tls\` measures FTPS, beside ProFTPD's mod_proxy and mod_tls, HAProxy and stunnel, on the Node that runs it and on Node 24, which it fetches from npm.

\`npm run bench -- soak\` asks another question: for twenty minutes sessions come and go beside peers that abort, stall, reset and talk rubbish, and whatever the process holds afterwards (memory, descriptors, data ports, sessions, nftables elements) is compared with what it held after the first minute. \`npm run bench -- soak-ftps\` does so with TLS on either side: handshakes that break off anywhere, strangers at data ports, files that are cut off, certificates that change, and one process whose C library checks its heap (\`MALLOC_CHECK_=3\`).`,
  ]
  return `${sections.join('\n\n')}\n`
}

function systemsSection({ systems, refusals }: Report): string[] {
  const rows = systems.map(({ title, version }) => [title, version || '–'])
  return [
    markdownTable(['system', 'version'], rows),
    ...refusals.map((refusal) => refusal.split('\n')[0] ?? refusal),
  ]
}

function verdictsSection(verdicts: readonly Verdict[]): string[] {
  if (verdicts.length === 0) return []
  return [verdicts.map(({ met, sentence }) => `- ${met ? '✓' : '✗ **not met**:'} ${sentence}`).join('\n')]
}

function valuesDetails(tables: readonly Table[], titles: Titles): string {
  const sections = tables.map((table) => valueSection(table, titles))
  return `<details><summary>All values</summary>\n\n${sections.join('\n\n')}\n\n</details>`
}

function instrumentText(cost: InstrumentCost): string {
  return `The load client and server are event loops over epoll(7). A download leaves the server by \`sendfile\` from memory and is dropped inside the client's kernel, so neither copies it. With nothing but a router between them they cost, in this run, ${cost.clientMsPerSession.toFixed(2)} ms (client) and ${cost.serverMsPerSession.toFixed(2)} ms (server) of CPU per session, ${Math.round(100 * cost.kernelShare)} % of it in the kernel's TCP stack, and ${cost.clientSecondsPerGb.toFixed(2)} s and ${cost.serverSecondsPerGb.toFixed(2)} s per GB; they reach ${formatNumber(cost.sessionsPerSecond)} sessions/s and ${formatNumber(cost.gigabytesPerSecond)} GB/s.`
}

function ratioSection(table: Table, titles: ReadonlyMap<string, string>): string {
  const { title, method, metrics, rows, reference } = table
  const base = reference === null ? '' : ` ${titles.get(reference) ?? reference} = 1.`
  const header = [
    '',
    ...metrics.map(({ title, better }) => `${title} (${better === 'less' ? 'less' : 'more'} is better)`),
  ]
  const body = rows.map(({ systemId }) => [
    titles.get(systemId) ?? systemId,
    ...metrics.map(({ id }) => {
      const ratio = reference === null ? null : ratioOf(table, id, { of: systemId, to: reference })
      return ratio === null ? '–' : formatRatio(ratio)
    }),
  ])
  const notes = rows.flatMap(({ systemId, failures }) =>
    failures.slice(0, 2).map((failure) => `${titles.get(systemId) ?? systemId}: ${failure}.`),
  )
  return [`### ${title}`, `${method}${base}`, markdownTable(header, body), ...notes].join('\n\n')
}

function valueSection({ title, metrics, rows }: Table, titles: ReadonlyMap<string, string>): string {
  const header = [
    title,
    ...metrics.map(({ title, unit }) => (title.includes('/s') ? title : `${title}, ${unit}`)),
  ]
  const body = rows.map(({ systemId, cells }) => [
    titles.get(systemId) ?? systemId,
    ...metrics.map(({ id }) => {
      const cell = cells[id]
      if (cell === undefined) return '–'
      return cell.low === cell.high
        ? formatNumber(cell.median)
        : `${formatNumber(cell.median)} (${formatNumber(cell.low)}–${formatNumber(cell.high)})`
    }),
  ])
  return markdownTable(header, body)
}

function markdownTable(header: readonly string[], body: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  const rule = `|${header.map((_, i) => (i === 0 ? '---' : '---:')).join('|')}|`
  return [line(header), rule, ...body.map(line)].join('\n')
}
