// An ordinary day at three proxies: clients that transfer, each in its own rhythm, and the mishaps that belong to it. Nothing of
// it is a reason to wake a person.

import { setMaxListeners } from 'node:events'
import { truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { issueCertificate } from '../../../support/certificates.ts'
import { openControlConnection } from '../../../support/control-connection.ts'
import type { Network } from '../../../support/netns.ts'
import { type RunningProxy, startProxy } from '../../../support/proxy.ts'
import { account, type FtpServer } from '../../../support/servers/server.ts'
import { startVsftpd } from '../../../support/servers/vsftpd.ts'
import { applyInterception } from './interception.ts'

/** Something that is done again and again. */
interface Habit {
  readonly name: string
  /** Between the end of one and the beginning of the next. */
  readonly everySeconds: number
  readonly isMishap: boolean
  /** Of traffic: whether it went well. */
  act(): Promise<boolean>
}

export interface Tally {
  readonly name: string
  readonly isMishap: boolean
  count: number
  failed: number
}

export interface OrdinaryDay {
  /** The `instance` labels of the proxies. */
  readonly instances: readonly string[]
  begin(): void
  /** From now on hardly any client comes. Mishaps go on as before: a share of the little there is. */
  beginNight(): void
  /** What was done so far. */
  tallies(): readonly Tally[]
  /** Ends what runs; resolves when it has. */
  stop(): Promise<void>
}

const gatewayAddress = '10.77.1.1'
const serverAddress = '10.77.2.10'
const right = `${account.user}:${account.password}`
const second = { port: 2111, passivePorts: { first: 46_000, last: 46_999 } }
const NIGHT = 8

const intercepting = (idle: string) => `listeners:
  - { name: edge, listen: '0.0.0.0:2121', intercept: redirect, matches: { interfaces: [side1] } }
pinholes: { backend: nftables, table: ftp_alg_ordinary }
limits: { idle: ${idle} }
shutdown: { drainTimeout: 10s }
log: { level: warn }
`

const relaying = (folder: string) => (idle: string) =>
  `upstreams:
  - { name: pool, servers: [{ address: '${serverAddress}:21' }, { address: '${serverAddress}:${second.port}' }] }
listeners:
  - { name: edge, listen: '0.0.0.0:2210', upstream: '${serverAddress}:21' }
  - { name: pooled, listen: '0.0.0.0:2211', upstream: pool }
  - name: encrypted
    listen: '0.0.0.0:2212'
    upstream: '${serverAddress}:21'
    tls: { mode: required, certificates: [{ certificate: ${folder}/day.crt, key: ${folder}/day.key }] }
dataPorts: 21000-21049
limits: { idle: ${idle} }
shutdown: { drainTimeout: 10s }
log: { level: warn }
`

const withWorkers = (idle: string) => `listeners:
  - { name: edge, listen: '0.0.0.0:2213', upstream: '${serverAddress}:21', upstreamMode: passive }
dataPorts: 21100-21149
workers: 2
limits: { idle: ${idle} }
shutdown: { drainTimeout: 10s }
log: { level: warn }
`

/** `server` listens at port 21 of the host server; beside it the network has the hosts client and other. */
export async function openOrdinaryDay(
  network: Network,
  { server, folder }: { readonly server: FtpServer; readonly folder: string },
): Promise<OrdinaryDay> {
  const { certificate, key } = issueCertificate({ name: 'day' })
  await writeFile(join(folder, 'day.crt'), certificate)
  await writeFile(join(folder, 'day.key'), key, { mode: 0o600 })
  const startSecond = async () => {
    const started = await startVsftpd({ place: network.host('server'), address: serverAddress, ...second })
    await provideFiles(started)
    return started
  }
  await provideFiles(server)
  const servers = { second: await startSecond() }
  await applyInterception(network, intercepting('15m'))
  const configs = [intercepting, relaying(folder), withWorkers] as const
  const proxies: Managed[] = []
  for (const [index, config] of configs.entries()) {
    proxies.push(await startManaged(network, join(folder, `day-${index}.yaml`), 9221 + index, config))
  }
  const restartServer = async () => {
    await servers.second.stop()
    await pause(3000)
    servers.second = await startSecond()
    return true
  }
  const habits = [...trafficOf(network, folder), ...mishapsOf(network, { proxies, restartServer })]
  const tallies = habits.map(({ name, isMishap }): Tally => ({ name, isMishap, count: 0, failed: 0 }))
  const over = new AbortController()
  setMaxListeners(0, over.signal)
  const running: Promise<void>[] = []
  let pace = 1

  const live = async (habit: Habit, tally: Tally, firstSeconds: number) => {
    const wait = (seconds: number) =>
      pause(seconds * 1000 * (habit.isMishap ? 1 : pace), undefined, { signal: over.signal })
    try {
      await wait(firstSeconds)
      for (;;) {
        tally.count += 1
        if (!(await habit.act().catch(() => false))) tally.failed += 1
        // Not in step with Prometheus, nor with each other.
        await wait(habit.everySeconds * (0.8 + 0.4 * Math.random()))
      }
    } catch (error) {
      if (!over.signal.aborted) throw error
    }
  }

  return {
    instances: proxies.map(({ instance }) => instance),
    begin: () => {
      for (const [index, habit] of habits.entries()) {
        const tally = tallies[index]
        // All but what happens once or twice an hour is seen within the first half a minute.
        const first = habit.everySeconds > 800 ? habit.everySeconds / 2 : 1 + index
        if (tally !== undefined) running.push(live(habit, tally, first))
      }
    },
    beginNight: () => {
      pace = NIGHT
    },
    tallies: () => tallies,
    stop: async () => {
      over.abort()
      await Promise.all(running)
      await Promise.all(proxies.map((proxy) => proxy.end()))
      await servers.second.stop()
    },
  }
}

function trafficOf(network: Network, folder: string): readonly Habit[] {
  const upload = join(folder, 'day.crt')
  const curl = (host: string, options: readonly string[]) => async () => {
    const argv = [...['curl', '-sS', '--noproxy', '*', '-m', '200', '--user', right, '--no-ftp-skip-pasv-ip']]
    const { exitCode } = await network.host(host).run([...argv, ...options], { timeoutMs: 240_000 })
    return exitCode === 0
  }
  const traffic = (name: string, everySeconds: number, act: () => Promise<boolean>): Habit => ({
    name,
    everySeconds,
    isMishap: false,
    act,
  })
  const down = (authority: string) => ['-o', '/dev/null', `ftp://${authority}/file.bin`]
  const at = (port: number) => down(`${gatewayAddress}:${port}`)
  const list = ['-o', '/dev/null', `ftp://${serverAddress}/`]
  return [
    traffic('downloads through the relay', 7, curl('client', at(2210))),
    traffic(
      'downloads through the relay in active mode',
      23,
      curl('other', ['--ftp-port', '-', ...at(2210)]),
    ),
    traffic(
      'uploads through the relay',
      19,
      curl('other', ['-T', upload, `ftp://${gatewayAddress}:2210/up.bin`]),
    ),
    traffic('downloads from a pool', 13, curl('client', at(2211))),
    traffic('downloads over TLS', 29, curl('client', ['--ssl-reqd', '--insecure', ...at(2212)])),
    traffic('downloads through workers', 17, curl('other', ['--ftp-port', '-', ...at(2213)])),
    traffic('intercepted downloads', 11, curl('client', down(serverAddress))),
    traffic('intercepted listings in active mode', 31, curl('other', ['--ftp-port', '-', ...list])),
    traffic(
      'slow downloads',
      90,
      curl('other', [
        '--limit-rate',
        '100k',
        ...at(2210).slice(0, 2),
        `ftp://${gatewayAddress}:2210/big.bin`,
      ]),
    ),
  ]
}

interface Surroundings {
  readonly proxies: readonly Managed[]
  restartServer(): Promise<boolean>
}

function mishapsOf(network: Network, { proxies, restartServer }: Surroundings): readonly Habit[] {
  const mishap = (name: string, everySeconds: number, act: () => Promise<unknown>): Habit => ({
    name,
    everySeconds,
    isMishap: true,
    act: async () => {
      await act()
      return true
    },
  })
  const sh = (host: string, script: string) => () => network.host(host).run(['bash', '-c', script])
  const curl = `curl -sS --noproxy '*' -o /dev/null`
  const relay = `ftp://${gatewayAddress}:2210`
  const session =
    (port: number, lines: readonly string[], staysMs = 0) =>
    async () => {
      const connection = await openControlConnection({ address: gatewayAddress, port }, network.host('other'))
      await connection.login()
      for (const line of lines) await connection.ask(line)
      await pause(staysMs)
      await connection.close()
    }
  const each = (act: (proxy: Managed) => Promise<void>) => async () => {
    for (const proxy of proxies) await act(proxy)
  }
  return [
    mishap(
      'one client tries a dead host three times',
      240,
      sh('other', `for n in 1 2 3; do ${curl} -m 5 ftp://10.77.2.99/; done`),
    ),
    mishap(
      'a client gives up in the middle of a download',
      270,
      sh('other', `${curl} -m 3 --user ${right} --limit-rate 1k ${relay}/big.bin`),
    ),
    // Longer than a client that has only changed its mind.
    mishap('a client waits for its data connection and gives up', 280, session(2210, ['PASV'], 8000)),
    mishap(
      'an active client cannot be reached',
      330,
      // Nothing listens there.
      session(2210, ['PORT 10,77,1,20,200,1', 'LIST']),
    ),
    mishap(
      'a client behind a NAT names its private address',
      300,
      session(2210, ['PORT 192,168,0,5,200,1', 'PASV']),
    ),
    mishap(
      'a user mistypes a password',
      120,
      sh('client', `${curl} -m 9 --user ${account.user}:wrong ${relay}/`),
    ),
    mishap('a file that does not exist', 60, sh('client', `${curl} -m 9 --user ${right} ${relay}/none.bin`)),
    mishap(
      'a balancer looks whether the port is open',
      15,
      sh('client', `exec 3<>/dev/tcp/${gatewayAddress}/2210`),
    ),
    mishap(
      'somebody scans the control and data ports',
      600,
      sh(
        'other',
        `for port in {21000..21049}; do timeout 1 bash -c "exec 3<>/dev/tcp/${gatewayAddress}/$port"; done
${curl} -m 2 http://${gatewayAddress}:2210/
${curl} -m 2 --insecure https://${gatewayAddress}:2210/
${curl} -m 2 http://${serverAddress}:21/`,
      ),
    ),
    mishap(
      'reloads of all three with a changed file',
      900,
      each((proxy) => proxy.reload()),
    ),
    mishap('restarts of a server of the pool', 1500, restartServer),
    mishap(
      'restarts of all three',
      2000,
      each((proxy) => proxy.restart()),
    ),
  ]
}

interface Managed {
  readonly instance: string
  reload(): Promise<void>
  restart(): Promise<void>
  end(): Promise<void>
}

/** `config` is written again, with another `limits.idle`, before each reload. */
async function startManaged(
  network: Network,
  file: string,
  port: number,
  config: (idle: string) => string,
): Promise<Managed> {
  const admin = { address: '127.0.0.1', port }
  const start = () => startProxy({ place: network.gateway, admin, flags: ['--config', file] })
  let minutes = 15
  await writeFile(file, config(`${minutes}m`))
  let proxy: RunningProxy = await start()
  return {
    instance: `${admin.address}:${port}`,
    reload: async () => {
      minutes = minutes === 15 ? 16 : 15
      await writeFile(file, config(`${minutes}m`))
      proxy.signal('SIGHUP')
    },
    restart: async () => {
      await proxy.stop()
      proxy = await start()
    },
    end: () => proxy.kill(),
  }
}

async function provideFiles({ home }: FtpServer): Promise<void> {
  await writeFile(join(home, 'file.bin'), Buffer.alloc(20_000))
  await writeFile(join(home, 'big.bin'), '')
  await truncate(join(home, 'big.bin'), 8_000_000)
}
