// A real Prometheus scrapes a real gateway under real transfers, refusals, attacks and failures; then it is asked
// what every panel of both dashboards would ask it.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { prometheusFolder } from '../../support/alerts.ts'
import { dashboardNames, loadDashboard, panelsOf, queriesOf } from '../../support/dashboards.ts'
import { debianRootMissing, debianTree } from '../../support/debian.ts'
import { recordingRules } from '../../support/metric-catalog.ts'
import { createNetwork, type Network } from '../../support/netns.ts'
import { type Prometheus, startPrometheus } from '../../support/prometheus.ts'
import { type RunningProxy, startProxy } from '../../support/proxy.ts'
import { type FtpServer, serverPackages } from '../../support/servers/server.ts'
import { startVsftpd } from '../../support/servers/vsftpd.ts'
import { writeCertificate } from './prometheus/encrypted-traffic.ts'
import { drawPanels, seriesName } from './prometheus/picture.ts'
import { driveTraffic, gatewayConfiguration, type Traffic } from './prometheus/traffic.ts'

const missing = debianRootMissing('Prometheus with both dashboards')

/** Queries that stay at 0 here, and why. */
const staysZero: Readonly<Record<string, string>> = {
  '"Dropped by the firewall"': 'it would take a firewall that drops',
  '"Servers not reached", B': 'it would take a server with a limit',
  '"Instances that do not answer"': 'all of them do',
  '"Defects"': 'it would take a defect of the proxy',
  '"TLS that failed, or passed through", D': 'it would take a listener that passes TLS through',
  '"TLS that failed, or passed through", E': 'it would take a peer that floods us with handshakes',
}

/** Panels of the overview in docs/dashboard.svg, in their order there. */
const pictured = [
  ...['Connections', 'Sessions opened', 'Throughput by direction'],
  ...['Endpoints rewritten', 'Modes converted', 'How pinholes end'],
  ...['Commands denied', 'Data connections that failed', 'Wait at the pinhole'],
]
const caption =
  'FTP ALG: overview. Nine of its panels, drawn by a script from what Prometheus answers to them during a test (Grafana draws them otherwise).'

describe.skipIf(missing !== null)('Prometheus', () => {
  let network: Network
  let server: FtpServer
  let folder: string
  let proxy: RunningProxy
  let prometheus: Prometheus
  let traffic: Traffic
  const begun = Date.now()

  beforeAll(async () => {
    await Promise.all([debianTree(serverPackages), debianTree(['prometheus'])])
    folder = await mkdtemp(join(tmpdir(), 'ftp-alg-traffic-'))
    network = await createNetwork({ inside: ['client', 'attacker'], outside: ['server'] })
    server = await startVsftpd({
      place: network.host('server'),
      address: '10.77.2.10',
      port: 21,
      passivePorts: { first: 40_000, last: 49_999 },
    })
    await writeCertificate(folder)
    const config = join(folder, 'config.yaml')
    await writeFile(config, gatewayConfiguration(folder, join(folder, 'transfers.log')))
    proxy = await startProxy({ place: network.gateway, flags: ['--config', config] })
    prometheus = await startPrometheus({
      place: network.gateway,
      port: 9090,
      config: `global: { scrape_interval: 1s, evaluation_interval: 1s }
rule_files: ['${prometheusFolder}recording.yml', '${prometheusFolder}alerts.yml']
scrape_configs:
  - job_name: ftp-alg
    static_configs: [{ targets: ['127.0.0.1:9121'] }]
`,
    })
    // What happens before the second scrape has no rate.
    await prometheus.waitFor('count_over_time(up{job="ftp-alg"}[1m])', ([seen]) => (seen?.value ?? 0) >= 2)
    traffic = await driveTraffic({ network, server, proxy, config, folder })
    await traffic.scraped(prometheus)
  })

  afterAll(async () => {
    await traffic?.stop()
    await prometheus?.stop()
    await proxy?.kill()
    await server?.stop()
    await network?.close()
    if (folder !== undefined) await rm(folder, { recursive: true, force: true })
  })

  describe.each(dashboardNames)('gets an answer for every query of %s', (name) => {
    it.each(queriesOf(name).map(({ place, expr }) => [place, expr] as const))('%s', async (place, expr) => {
      const query = asGrafana(expr)
      const samples = await prometheus.queryMaxima(query, Math.ceil((Date.now() - begun) / 1000))
      expect(samples.length, query).toBeGreaterThan(0)
      if (Object.keys(staysZero).some((title) => place.includes(title))) return
      const largest = Math.max(...samples.map(({ value }) => value))
      expect(largest, `${query}\n${JSON.stringify(samples)}`).toBeGreaterThan(0)
    })
  })

  it('has enough to draw docs/dashboard.svg', async () => {
    const seconds = Math.ceil((Date.now() - begun) / 1000)
    const drawn = await Promise.all(
      panelsOf(loadDashboard('ftp-alg-overview'))
        .filter(({ title }) => pictured.includes(title))
        .map(async ({ title, fieldConfig, targets = [] }) => ({
          title,
          unit: fieldConfig?.defaults.unit ?? 'short',
          series: (
            await Promise.all(
              targets.map(async ({ expr, legendFormat }) =>
                (
                  await prometheus.queryRange(asGrafana(expr), seconds)
                ).map(({ labels, points }) => ({
                  name: seriesName(legendFormat, labels),
                  points,
                })),
              ),
            )
          ).flat(),
        })),
    )
    const now = Date.now() / 1000
    const picture = drawPanels({ caption, panels: drawn, from: now - seconds, to: now })
    expect(drawn.map(({ title }) => title)).toEqual(pictured)
    expect(drawn.filter(({ series }) => series.length === 0)).toEqual([])
    expect(picture.length).toBeLessThan(200_000)
    if (process.env.PICTURES === '1')
      await writeFile(new URL('../../../docs/dashboard.svg', import.meta.url), picture)
  })

  it('can evaluate every rule, and has a value for every recording rule', async () => {
    const rules = await prometheus.rules()
    expect(rules.filter(({ health }) => health !== 'ok')).toEqual([])
    expect(rules.map(({ name }) => name)).toEqual(
      expect.arrayContaining(recordingRules().map(({ record }) => record)),
    )
    for (const { record } of recordingRules()) {
      expect((await prometheus.query(`{__name__="${record}"}`)).length, record).toBeGreaterThan(0)
    }
  })

  it('has raised the alerts that this traffic deserves', async () => {
    const raised = await prometheus.query('ALERTS{alertstate=~"pending|firing"}')
    const names = raised.map(({ labels }) => labels.alertname)
    expect(names).toEqual(
      expect.arrayContaining([
        'FtpAlgPortPoolExhausted',
        'FtpAlgBounceAttempts',
        'FtpAlgUpstreamUnreachable',
        'FtpAlgSessionsRejected',
        'FtpAlgConfigReloadFailed',
        'FtpAlgDrainSlow',
        'FtpAlgTransferLogFailing',
      ]),
    )
    expect(names).not.toContain('FtpAlgDown')
    expect(names).not.toContain('FtpAlgSessionDefects')
  })
})

/** A query with the values of Grafana's variables. */
function asGrafana(expr: string): string {
  return expr
    .replaceAll('$__rate_interval', '30s')
    .replaceAll('$job', 'ftp-alg')
    .replaceAll(/\$(instance|listener)/g, '.+')
}
