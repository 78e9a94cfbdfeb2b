// Something of everything that a gateway can meet, so that no panel stays empty: transfers in both modes and
// directions, conversions, refusals, expired and exhausted pinholes, strangers, servers that are down or do not
// speak FTP, good and bad reloads, and a drain at the end.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import {
  type ControlConnection,
  endpointOf227,
  openControlConnection,
} from '../../../support/control-connection.ts'
import type { Network } from '../../../support/netns.ts'
import { type RunningProgram, startProgram } from '../../../support/programs.ts'
import type { Prometheus } from '../../../support/prometheus.ts'
import type { RunningProxy } from '../../../support/proxy.ts'
import { account, type FtpServer, makeUserFolder } from '../../../support/servers/server.ts'
import { breakCertificate, driveEncrypted, encryptedListeners } from './encrypted-traffic.ts'

/** Two ports for clients, so that the third pinhole of one client finds none. */
export const gatewayConfiguration = (folder: string, transferLog: string) => `
upstreams:
  - { name: pool, servers: [{ address: '10.77.2.10:2' }, { address: '10.77.2.10:21' }], balance: first, health: false }
listeners:
  - { name: pooled, listen: '0.0.0.0:2140', upstream: pool }
  - { name: edge, listen: '0.0.0.0:2121', upstream: '10.77.2.10:21' }
  - { name: to-passive, listen: '0.0.0.0:2122', upstream: '10.77.2.10:21', upstreamMode: passive }
  - { name: to-active, listen: '0.0.0.0:2123', upstream: '10.77.2.10:21', upstreamMode: active }
  - { name: dead, listen: '0.0.0.0:2124', upstream: '10.77.2.10:2' }
  - { name: odd, listen: '0.0.0.0:2125', upstream: '10.77.2.10:2221' }${encryptedListeners(folder)}
dataPorts: { client: 30000-30001, server: 31000-31009 }
pinholes: { timeout: 3s }
limits: { sessionsPerClient: 8, pinholesPerClient: 2 }
policy: { fxp: [10.77.1.99] }
shutdown: { drainTimeout: 2m }
log: { level: warn, transfers: { file: ${transferLog} } }
`

export interface Traffic {
  /** Resolves when Prometheus has seen all of it. */
  scraped(prometheus: Prometheus): Promise<void>
  stop(): Promise<void>
}

export interface Scene {
  readonly network: Network
  readonly server: FtpServer
  readonly proxy: RunningProxy
  /** The configuration file, to be changed and read again. */
  readonly config: string
  /** For files. */
  readonly folder: string
}

const edge = { address: '10.77.1.1', port: 2121 }

export async function driveTraffic(scene: Scene): Promise<Traffic> {
  const { network, server, proxy, folder } = scene
  const client = network.host('client')
  const running: RunningProgram[] = []
  await makeUserFolder(server, 'files')
  await writeFile(join(server.home, 'files', 'big.bin'), Buffer.alloc(64 * 1024 * 1024))
  await writeFile(join(folder, 'small.bin'), Buffer.alloc(100_000))

  const transfer = async (port: number, mode: 'passive' | 'active') => {
    const url = `ftp://${edge.address}:${port}/files`
    const options = curlOptions(mode)
    await client.run([
      'curl',
      '-sS',
      ...options,
      '-T',
      join(folder, 'small.bin'),
      `${url}/${port}-${mode}.bin`,
    ])
    await client.run(['curl', '-sS', ...options, '-o', '/dev/null', `${url}/${port}-${mode}.bin`])
    await client.run(['curl', '-sS', ...options, '-o', '/dev/null', `${url}/`])
  }
  for (const port of [2121, 2122, 2123]) {
    await transfer(port, 'passive')
    await transfer(port, 'active')
  }
  await client.run([
    'curl',
    '-sS',
    ...curlOptions('passive'),
    '--limit-rate',
    '1M',
    '-m',
    '1',
    '-o',
    '/dev/null',
    bigFile(),
  ])

  // One transfer goes on until the end, slowly.
  running.push(
    startProgram(
      ['curl', '-sS', ...curlOptions('passive'), '--limit-rate', '50k', '-o', '/dev/null', bigFile()],
      {
        place: client,
      },
    ),
  )
  await untilMetric(proxy, /^ftp_alg_data_connections_active\{[^}]*\} 1$/m)
  const pooled = await openControlConnection({ ...edge, port: 2140 }, client)
  await pooled.login()
  await provokeRefusals(scene)
  await driveEncrypted(network, edge.address)
  await untilMetric(proxy, /^ftp_alg_tls_truncations_total\{[^}]*\} [1-9]/m)
  await intrudeAndExhaust(scene)
  await meetBadServers(scene, running)
  await pooled.close()
  await reload(scene)
  await breakCertificate(folder)
  await untilMetric(proxy, /^ftp_alg_tls_certificate_last_reload_successful\{[^}]*\} 0$/m)
  await transfer(2121, 'passive')
  await untilMetric(proxy, /^ftp_alg_transfer_log_failing 1$/m)
  proxy.signal('SIGTERM')
  return {
    // The drain came last: a scrape that has it has everything.
    scraped: async (prometheus) => {
      await prometheus.waitFor('ftp_alg_draining', ([sample]) => sample?.value === 1)
    },
    stop: async () => {
      for (const program of running) await program.kill()
    },
  }
}

/** Bounces, ports that nobody listens on, wrong passwords, and no FTP at all. */
async function provokeRefusals({ network, proxy }: Scene): Promise<void> {
  const client = network.host('client')
  const bouncers = await Promise.all([loggedIn(client), loggedIn(client), loggedIn(client)])
  const bounce = async (bouncer: ControlConnection) => {
    for (let attempt = 0; attempt < 9; attempt += 1) await bouncer.ask('PORT 10,77,2,99,200,1')
    await bouncer.ask('EPRT nonsense')
    // Ten refusals close the session.
    await bouncer.closed()
  }
  // At once: so many in a second are more than the log writes down.
  await Promise.all(bouncers.map(bounce))
  const active = await loggedIn(client)
  await active.ask('PORT 10,77,1,10,200,1')
  await active.ask('LIST')
  // A third party that may be named, and is not there.
  await active.ask('PORT 10,77,1,99,200,1')
  await active.ask('LIST')
  await untilMetric(proxy, /^ftp_alg_data_foreign_peers_total\{[^}]*side="client"\} [1-9]/m)
  await active.close()
  const stranger = await openControlConnection(edge, client)
  await stranger.ask('USER nobody-of-that-name')
  await stranger.ask('PASS wrong')
  await stranger.close()
  await client.run(['curl', '-sS', '-m', '5', `http://${edge.address}:${edge.port}/`])
  await untilMetric(proxy, /^ftp_alg_log_lines_lost_total\{reason="flood"\} [1-9]/m)
}

/** Three pinholes for two ports, a stranger at one of them, and nobody else until they have expired. */
async function intrudeAndExhaust({ network, proxy }: Scene): Promise<void> {
  const client = network.host('client')
  const attacker = network.host('attacker')
  const sessions = await Promise.all([loggedIn(client), loggedIn(client), loggedIn(client)])
  const replies: string[] = []
  for (const session of sessions) replies.push(await session.ask('PASV'))
  const { address, port } = endpointOf227(replies[0] ?? '')
  await attacker.run(['bash', '-c', 'exec 3<>"/dev/tcp/$0/$1"; cat <&3', address, String(port)])
  await untilMetric(proxy, /^ftp_alg_pinhole_failures_total\{[^}]*reason="exhausted"\} [1-9]/m)
  await untilMetric(proxy, /^ftp_alg_pinhole_rejected_connections_total\{reason="wrong_peer"\} [1-9]/m)
  await untilMetric(proxy, /^ftp_alg_pinholes_closed_total\{[^}]*reason="expired"\} 2$/m)
  await sessions[0]?.ask('LIST')
  for (const session of sessions) await session.close()

  const crowd = await Promise.all(Array.from({ length: 9 }, () => openControlConnection(edge, attacker)))
  await untilMetric(proxy, /^ftp_alg_sessions_rejected_total\{[^}]*reason="client_limit"\} [1-9]/m)
  for (const session of crowd) await session.close()
}

async function meetBadServers({ network, proxy }: Scene, running: RunningProgram[]): Promise<void> {
  const client = network.host('client')
  // Fewer are no alert.
  for (let attempt = 0; attempt < 5; attempt += 1) {
    const refused = await openControlConnection({ ...edge, port: 2124 }, client)
    await refused.close()
  }
  const script = new URL('odd-server.py', import.meta.url).pathname
  const odd = network.host('server').start(['/usr/bin/python3', script, '10.77.2.10', '2221'])
  running.push(odd)
  await odd.waitForOutput(/listening/)
  const session = await openControlConnection({ ...edge, port: 2125 }, client)
  await session.login()
  await session.ask('NOOP')
  await session.close()
  await untilMetric(proxy, /^ftp_alg_protocol_errors_total\{[^}]*\} [1-9]/m)
}

/** A good file, in which the transfer log has moved to a full disk; then a bad one. */
async function reload({ proxy, config, folder }: Scene): Promise<void> {
  const moved = gatewayConfiguration(folder, '/dev/full')
  await writeFile(config, moved)
  proxy.signal('SIGHUP')
  await untilMetric(proxy, /^ftp_alg_config_reloads_total\{result="accepted"\} 1$/m)
  await writeFile(config, `${moved}\nlimitz: {}\n`)
  proxy.signal('SIGHUP')
  await untilMetric(proxy, /^ftp_alg_config_reloads_total\{result="refused"\} 1$/m)
}

async function loggedIn(place: Parameters<typeof openControlConnection>[1]): Promise<ControlConnection> {
  const session = await openControlConnection(edge, place)
  await session.login()
  return session
}

function curlOptions(mode: 'passive' | 'active'): string[] {
  const data = mode === 'passive' ? ['--ftp-pasv', '--disable-epsv'] : ['--ftp-port', '-', '--disable-eprt']
  return ['--noproxy', '*', '--user', `${account.user}:${account.password}`, '--no-ftp-skip-pasv-ip', ...data]
}

function bigFile(): string {
  return `ftp://${edge.address}:${edge.port}/files/big.bin`
}

/** Resolves once the exposition has such a line. */
async function untilMetric(proxy: RunningProxy, line: RegExp): Promise<void> {
  const deadline = Date.now() + 20_000
  for (;;) {
    const metrics = await proxy.metrics()
    if (line.test(metrics)) return
    if (Date.now() > deadline) throw new Error(`there is no ${line} in\n${metrics}\n${proxy.output()}`)
    await pause(100)
  }
}
