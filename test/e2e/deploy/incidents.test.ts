// Eight incidents at once, each at a proxy of its own, before a real Prometheus with the rules as shipped: how long until
// the status page and an alert tell. Beside them three proxies have an ordinary day, with its mishaps, and must stay silent.
//
// UPDATE=1 writes the figures into docs/runbook.md; it then scrapes every 15 s, as docs/grafana.md says, after two
// minutes in which all was well. Otherwise it scrapes more often, and `for:` of the rules is a sixth.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { prometheusFolder } from '../../support/alerts.ts'
import { debianRootMissing, debianTree } from '../../support/debian.ts'
import { createNetwork, type Network } from '../../support/netns.ts'
import { runProgram } from '../../support/programs.ts'
import { type Prometheus, startPrometheus } from '../../support/prometheus.ts'
import { type FtpServer, serverPackages } from '../../support/servers/server.ts'
import { startVsftpd } from '../../support/servers/vsftpd.ts'
import { beginTraffic, type Incident, incidentsOf, type Scene } from './prometheus/incidents.ts'
import { type OrdinaryDay, openOrdinaryDay } from './prometheus/ordinary.ts'

const missing = debianRootMissing('Prometheus with eight incidents')
const isForTheRunbook = process.env.UPDATE === '1'
const scrapeSeconds = isForTheRunbook ? 15 : 3
const calmMs = isForTheRunbook ? 120_000 : 12_000
/** The goal. */
const LIMIT_S = 120
const runbook = new URL('../../../docs/runbook.md', import.meta.url).pathname

interface Told {
  readonly incident: Incident
  pageSeconds: number | null
  alertSeconds: number | null
}

describe.skipIf(missing !== null)('incidents', () => {
  const networks: Network[] = []
  const servers: FtpServer[] = []
  const watchers: Prometheus[] = []
  let folder: string
  let incidents: readonly Incident[]
  let day: OrdinaryDay
  let told: readonly Told[]
  /** Every alert that fired, with the instance that it fired for. */
  const fired = new Set<string>()

  const vsftpd = async (network: Network, port: number, maxPerAddress?: number) => {
    const server = await startVsftpd({
      place: network.host('server'),
      address: '10.77.2.10',
      port,
      passivePorts: { first: 40_000 + (port % 10) * 1000, last: 40_999 + (port % 10) * 1000 },
      ...(maxPerAddress !== undefined && { maxPerAddress }),
    })
    await writeFile(join(server.home, 'file.bin'), Buffer.alloc(20_000))
    servers.push(server)
    return server
  }

  beforeAll(async () => {
    await Promise.all([debianTree(serverPackages), debianTree(['prometheus'])])
    folder = await mkdtemp(join(tmpdir(), 'ftp-alg-incidents-'))
    for (let n = 0; n < 3; n += 1) {
      networks.push(await createNetwork({ inside: ['client', 'other'], outside: ['server'] }))
    }
    const [shared, dropping, flushed] = networks as [Network, Network, Network]
    await shared.gateway.forward(true)
    const [server] = await Promise.all(networks.map((network) => vsftpd(network, 21)))
    const victim = await vsftpd(shared, 2102)
    const limited = await vsftpd(shared, 2103, 4)
    const scene: Scene = { shared, dropping, flushed, folder, victim, limitedPort: limited.port }
    incidents = await incidentsOf(scene)
    if (server === undefined) throw new Error('there is no network')
    day = await openOrdinaryDay(shared, { server, folder })
    const alerts = join(folder, 'alerts.yml')
    await writeFile(alerts, shortened(await readFile(`${prometheusFolder}alerts.yml`, 'utf8')))
    const at = (network: Network, instances: readonly string[]) =>
      startPrometheus({
        place: network.gateway,
        port: 9090,
        config: `global: { scrape_interval: ${scrapeSeconds}s, evaluation_interval: ${scrapeSeconds}s }
rule_files: ['${prometheusFolder}recording.yml', '${alerts}']
scrape_configs:
  - job_name: ftp-alg
    static_configs: [{ targets: [${instances.map((name) => `'${name}'`).join(', ')}] }]
`,
      })
    const instancesOf = (network: Network) =>
      incidents
        .filter(({ proxy }) => networkOf(proxy, scene, incidents) === network)
        .map(({ instance }) => instance)
    watchers.push(
      ...(await Promise.all([
        at(shared, [...instancesOf(shared), ...day.instances]),
        at(dropping, instancesOf(dropping)),
        at(flushed, instancesOf(flushed)),
      ])),
    )
    beginTraffic()
    day.begin()
    await pause(calmMs)
    told = await replay(incidents, watchers, fired)
  })

  afterAll(async () => {
    await day?.stop()
    for (const watcher of watchers) await watcher.stop()
    for (const { proxy } of incidents ?? []) await proxy.kill()
    for (const server of servers) await server.stop()
    for (const network of networks) await network.close()
    if (folder === undefined) return
    await runProgram(['umount', '-l', join(folder, 'disk')])
    await rm(folder, { recursive: true, force: true })
  })

  it('are all told within two minutes, on the status page and by an alert', async () => {
    const table = tableOf(told)
    console.log(table)
    for (const { incident, pageSeconds, alertSeconds } of told) {
      expect([incident.name, pageSeconds], incident.proxy.output().slice(-2000)).toEqual([
        incident.name,
        expect.any(Number),
      ])
      expect([incident.name, alertSeconds]).toEqual([incident.name, expect.any(Number)])
      expect(Math.max(pageSeconds ?? 0, alertSeconds ?? 0), incident.name).toBeLessThanOrEqual(LIMIT_S)
    }
    const text = await readFile(runbook, 'utf8')
    const part = /(?<=<!-- incidents -->\n).*(?=<!-- end of incidents -->)/s
    if (isForTheRunbook) await writeFile(runbook, text.replace(part, table))
    const named = (shown: string) =>
      [...shown.matchAll(/^\| ([^|]+) \|.*`(FtpAlg\w+)`/gm)].map(([, ...row]) => row)
    expect(named(isForTheRunbook ? table : (part.exec(text)?.[0] ?? ''))).toEqual(named(table))
  })

  it('raise one alert each, and ordinary traffic with its mishaps none', () => {
    const wanted = incidents.map(({ alert, instance }) => `${alert} ${instance}`)
    expect([...fired].sort()).toEqual(wanted.sort())
  })
})

/** Alerts that wait a minute or less do so for a sixth of it; which expression fires stays as shipped. */
function shortened(rules: string): string {
  if (isForTheRunbook) return rules
  return rules.replaceAll(/for: (1m|30s)$/gm, (_, time) => `for: ${time === '1m' ? 10 : 5}s`)
}

/** Which of the networks it runs in: those of the second and sixth incident have their own. */
function networkOf(proxy: Incident['proxy'], scene: Scene, incidents: readonly Incident[]): Network {
  const index = incidents.findIndex((incident) => incident.proxy === proxy)
  return index === 1 ? scene.dropping : index === 5 ? scene.flushed : scene.shared
}

/** Causes all of them, and looks until all are told or the time is over. */
async function replay(
  incidents: readonly Incident[],
  watchers: readonly Prometheus[],
  fired: Set<string>,
): Promise<readonly Told[]> {
  const began = new Map<Incident, number>()
  const told = incidents.map((incident): Told => ({ incident, pageSeconds: null, alertSeconds: null }))
  const since = (incident: Incident) => Math.round((performance.now() - (began.get(incident) ?? 0)) / 1000)
  await Promise.all(
    incidents.map(async (incident) => {
      began.set(incident, performance.now())
      await incident.cause()
    }),
  )
  const end = performance.now() + (LIMIT_S + 30) * 1000
  while (performance.now() < end) {
    const samples = await Promise.all(watchers.map((watcher) => watcher.query('ALERTS{alertstate="firing"}')))
    for (const { labels } of samples.flat()) fired.add(`${labels.alertname} ${labels.instance}`)
    for (const each of told) {
      const { alert, instance, page, proxy } = each.incident
      if (fired.has(`${alert} ${instance}`)) each.alertSeconds ??= since(each.incident)
      if (each.pageSeconds !== null) continue
      const { body } = await proxy.get('/')
      if (page.test(textOf(body))) each.pageSeconds = since(each.incident)
    }
    if (told.every(({ pageSeconds, alertSeconds }) => pageSeconds !== null && alertSeconds !== null)) break
    await pause(1000)
  }
  return told
}

function textOf(page: string): string {
  // Programs' output is read a byte a character.
  const text = Buffer.from(page, 'latin1').toString('utf8')
  return text.replaceAll(/<[^>]*>/g, ' ').replaceAll(/\s+/g, ' ')
}

function tableOf(told: readonly Told[]): string {
  const rows = told.map(({ incident: { name, alert }, pageSeconds, alertSeconds }) => {
    const shown = (seconds: number | null) => (seconds === null ? 'missed' : `${seconds} s`)
    return `| ${name} | ${shown(pageSeconds)} | ${shown(alertSeconds)} | \`${alert}\` |`
  })
  return `| Incident | Status page | Alert | Its name |\n|---|---|---|---|\n${rows.join('\n')}\n`
}
