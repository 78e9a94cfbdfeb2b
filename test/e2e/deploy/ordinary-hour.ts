// An ordinary hour before a real Prometheus with the rules as shipped: no alert may fire. The last third of it is night, when
// mishaps are a larger part of what happens. Run by `npm run ordinary-hour`, not by `npm test`, where incidents.test.ts has two
// minutes of the same day.
//
// UPDATE=1 writes what was done into docs/runbook.md.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { prometheusFolder } from '../../support/alerts.ts'
import { type Cleanup, createCleanup } from '../../support/cleanup.ts'
import { debianRootMissing, debianTree } from '../../support/debian.ts'
import { createNetwork } from '../../support/netns.ts'
import { type Prometheus, startPrometheus } from '../../support/prometheus.ts'
import { serverPackages } from '../../support/servers/server.ts'
import { startVsftpd } from '../../support/servers/vsftpd.ts'
import { type OrdinaryDay, openOrdinaryDay, type Tally } from './prometheus/ordinary.ts'

const missing = debianRootMissing('an ordinary hour before Prometheus')
const minutes = Number(process.env.ORDINARY_MINUTES)
const runbook = new URL('../../../docs/runbook.md', import.meta.url).pathname

/** What must have happened for silence to mean anything, as the proxies count it; of one that was restarted, the larger part. */
const happened: Readonly<Record<string, string>> = {
  'transfers that went well': 'sum(max_over_time(ftp_alg_transfers_total{result="ok"}[RANGE]))',
  'dead hosts': 'sum(max_over_time(ftp_alg_upstream_connect_failures_total[RANGE]))',
  'refused logins': 'sum(max_over_time(ftp_alg_logins_total{result="refused"}[RANGE]))',
  'refused endpoints': 'sum(max_over_time(ftp_alg_commands_denied_total{reason="bounce"}[RANGE]))',
  'data connections that failed':
    'sum(max_over_time(ftp_alg_data_connections_total{result="failed"}[RANGE]))',
  'transfers cut off': 'sum(max_over_time(ftp_alg_transfers_total{result="reset"}[RANGE]))',
  'pinholes in vain': 'sum(max_over_time(ftp_alg_pinholes_closed_total{reason=~"expired|abandoned"}[RANGE]))',
}

it.skipIf(missing !== null)(
  `fires no alert in ${minutes} minutes`,
  async () => {
    const cleanup = createCleanup()
    try {
      const { day, prometheus } = await open(cleanup)
      const began = Date.now()
      day.begin()
      await pause(minutes * 40_000)
      day.beginNight()
      await pause(minutes * 20_000)
      await judge(day, prometheus, Math.ceil((Date.now() - began) / 1000))
    } finally {
      await cleanup.run()
    }
  },
  (minutes + 5) * 60_000,
)

async function open(cleanup: Cleanup): Promise<{ day: OrdinaryDay; prometheus: Prometheus }> {
  await Promise.all([debianTree(serverPackages), debianTree(['prometheus'])])
  const folder = await mkdtemp(join(tmpdir(), 'ftp-alg-ordinary-'))
  cleanup.add(() => rm(folder, { recursive: true, force: true }))
  const network = await createNetwork({ inside: ['client', 'other'], outside: ['server'] })
  cleanup.add(network.close)
  await network.gateway.forward(true)
  const server = await startVsftpd({
    place: network.host('server'),
    address: '10.77.2.10',
    port: 21,
    passivePorts: { first: 40_000, last: 44_999 },
  })
  cleanup.add(server.stop)
  const day = await openOrdinaryDay(network, { server, folder })
  cleanup.add(day.stop)
  const prometheus = await startPrometheus({
    place: network.gateway,
    port: 9090,
    config: `global: { scrape_interval: 15s, evaluation_interval: 15s }
rule_files: ['${prometheusFolder}recording.yml', '${prometheusFolder}alerts.yml']
scrape_configs:
  - job_name: ftp-alg
    static_configs: [{ targets: [${day.instances.map((name) => `'${name}'`).join(', ')}] }]
`,
  })
  cleanup.add(prometheus.stop)
  return { day, prometheus }
}

async function judge(day: OrdinaryDay, prometheus: Prometheus, seconds: number): Promise<void> {
  const alerts = async (state: string) =>
    (await prometheus.query(`count_over_time(ALERTS{alertstate="${state}"}[${seconds}s])`)).map(
      ({ labels, value }) =>
        `${labels.alertname} ${labels.instance} ${labels.listener ?? ''}: ${value * 15} s`,
    )
  const fired = await alerts('firing')
  const pending = await alerts('pending')
  const seen = new Map<string, number>()
  for (const [name, query] of Object.entries(happened)) {
    const [sample] = await prometheus.query(query.replace('RANGE', `${seconds}s`))
    seen.set(name, Math.round(sample?.value ?? 0))
  }
  const table = tableOf(day.tallies())
  const figures = [...seen].map(([name, value]) => `${name} ${value}`).join(', ')
  console.log(
    `${table}\ncounted: ${figures}\nfired: ${fired.join('; ') || 'none'}\npending: ${pending.join('; ') || 'none'}`,
  )
  expect(fired).toEqual([])
  for (const rule of await prometheus.rules()) expect([rule.name, rule.health]).toEqual([rule.name, 'ok'])
  for (const [name, value] of seen) expect([name, value > 0]).toEqual([name, true])
  // Restarts end a few.
  for (const { name, isMishap, count, failed } of day.tallies()) {
    if (!isMishap) expect(failed / count, `${name}: ${failed} of ${count} failed`).toBeLessThan(0.1)
  }
  if (process.env.UPDATE !== '1') return
  const text = await readFile(runbook, 'utf8')
  const part = /(?<=<!-- ordinary hour -->\n).*(?=<!-- end of ordinary hour -->)/s
  expect(text).toMatch(part)
  await writeFile(
    runbook,
    text.replace(part, () => `In ${minutes} minutes, no alert:\n\n${table}`),
  )
}

function tableOf(tallies: readonly Tally[]): string {
  const rows = tallies.map(({ name, count }) => `| ${name} | ${count} |`)
  return `| What happened | Times |\n|---|---|\n${rows.join('\n')}\n`
}
