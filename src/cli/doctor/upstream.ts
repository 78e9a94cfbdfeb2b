// Whether the servers answer.

import { connect } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { Config, ListenerConfig, UpstreamTlsConfig } from '../../config/config.ts'
import { settingsFor } from '../../config/pool-settings.ts'
import { openTcp } from '../../tcp/open-tcp.ts'
import { Conversation } from './conversation.ts'
import { type Finding, fail, ok, warn } from './finding.ts'
import { type Path, type Place, pathText, reach, serversOfService } from './reach.ts'

/**
 * The servers of listeners and of pools, each under the name of its check; those of a pool once for each way that listeners
 * speak to them.
 */
export function upstreamsOf({
  listeners,
  upstreams,
}: Pick<Config, 'listeners' | 'upstreams'>): readonly Asked[] {
  return [
    ...listeners.flatMap(({ name, upstream, pool, ...listener }) =>
      upstream === null || pool !== undefined
        ? []
        : [{ check: `upstream of ${name}`, ...upstream, tls: wayOf(listener) }],
    ),
    ...listeners.flatMap(({ name: listener, routes = [], ...rest }) =>
      routes.flatMap(({ name, upstream, pool }) =>
        pool === undefined ? [{ check: `route ${name} of ${listener}`, ...upstream, tls: wayOf(rest) }] : [],
      ),
    ),
    ...upstreams.flatMap((pool) => {
      const { name, servers, via, proxyProtocol } = pool
      const path = via === null && proxyProtocol === 'off' ? null : { via, proxyProtocol }
      const ways = listeners
        .filter(({ pool, routes = [] }) => pool === name || routes.some((route) => route.pool === name))
        .map(({ passthrough, ...listener }) => {
          return wayOf({ passthrough, upstreamTls: settingsFor(pool, listener).upstreamTls.value })
        })
      const distinct = new Map(ways.map((tls) => [JSON.stringify(tls), tls]))
      return servers.flatMap(({ host, port, isSrv }) =>
        [...(distinct.size === 0 ? [pool.upstreamTls ?? null] : distinct.values())].map((tls) => ({
          check: `server of pool ${name}`,
          host,
          port,
          isSrv,
          tls,
          path,
        })),
      )
    }),
  ]
}

export interface Asked {
  readonly check: string
  /** With `isSrv` the name of a service, which has hosts and ports. */
  readonly host: string
  readonly isSrv?: boolean | undefined
  readonly port: number
  readonly tls: Way
  /** Absent: as null. */
  readonly path?: Path
}

/** Null: in clear. `passes`: TLS of clients from the first byte, which is not ours. */
type Way = UpstreamTlsConfig | 'passes' | null

function wayOf({
  upstreamTls,
  passthrough,
}: {
  readonly upstreamTls?: UpstreamTlsConfig | null
  readonly passthrough?: ListenerConfig['passthrough'] | undefined
}): Way {
  return passthrough === 'implicit' ? 'passes' : (upstreamTls ?? null)
}

/** One finding a server; those of a service are asked of DNS first. */
export async function checkUpstreams(
  servers: readonly Asked[],
  timeoutMs: number,
): Promise<readonly Finding[]> {
  const findings = servers.map(async (asked) => {
    const places = await placesOf(asked)
    if ('state' in places) return [places]
    return Promise.all(places.map((place) => checkUpstream({ ...asked, ...place }, timeoutMs)))
  })
  return (await Promise.all(findings)).flat()
}

/** Where a server is, or what keeps us from knowing. */
export async function placesOf({ check, host, port, isSrv }: Asked): Promise<readonly Place[] | Finding> {
  if (isSrv !== true) return [{ host, port }]
  try {
    return await serversOfService(host)
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error)
    return fail(check, `${host} (SRV): ${text}`, cureFor('ENOTFOUND'))
  }
}

/** As a session begins; with TLS where the configuration has it. */
export async function checkUpstream({ tls, ...asked }: Asked, timeoutMs: number): Promise<Finding> {
  if (tls === 'passes') return checkTls(asked, timeoutMs)
  if (tls === null)
    return asked.path == null ? checkGreeting(asked, timeoutMs) : greetThrough(asked, timeoutMs)
  // Loaded only here: everything else runs where there is no OpenSSL for us.
  const { checkUpstreamTls } = await import('./upstream-tls.ts')
  return checkUpstreamTls({ ...asked, tls }, timeoutMs)
}

/** The same as `checkGreeting` on the way that the pool says. */
async function greetThrough(
  { check, host, port, path }: Omit<Asked, 'tls'>,
  timeoutMs: number,
): Promise<Finding> {
  const where = `${host} port ${port}${pathText(path)}`
  let timer: NodeJS.Timeout | undefined
  try {
    const { tcp } = await openTcp({ isRequired: false })
    const connection = await reach(tcp, { place: { host, port }, path, timeoutMs })
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        reject,
        timeoutMs,
        new Error(`accepts connections and says nothing within ${timeoutMs} ms`),
      )
    })
    const { code, text } = await Promise.race([new Conversation(connection).reply(), late]).finally(() =>
      connection.close('QUIT\r\n'),
    )
    const said = `${where} says ${text.trim().replaceAll(/[^\x20-\x7e]/g, '?')}`
    return code === 220
      ? ok(check, said)
      : warn(check, said, 'an FTP server greets with 220: is this the right port?')
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error)
    return fail(check, `${where}: ${text}`, 'check the proxy, the address and the firewalls on the way')
  } finally {
    clearTimeout(timer)
  }
}

/** Connects as a client would and waits for the greeting; sends nothing but QUIT. */
function checkGreeting({ check, host, port }: Omit<Asked, 'tls'>, timeoutMs: number): Promise<Finding> {
  const where = `${host} port ${port}`
  return new Promise((resolve) => {
    const socket = connect({ host, port })
    let greeting = ''
    const settle = (finding: Finding) => {
      clearTimeout(timer)
      socket.destroy()
      resolve(finding)
    }
    const timer = setTimeout(() => {
      const found =
        greeting === '' && socket.connecting ? 'does not answer' : 'accepts connections and says nothing'
      settle(
        fail(
          check,
          `${where} ${found} within ${timeoutMs} ms`,
          'check the address, the route and the firewalls on the way',
        ),
      )
    }, timeoutMs)
    socket.setEncoding('latin1')
    socket.on('data', (chunk: string) => {
      greeting += chunk
      const end = greeting.indexOf('\n')
      if (end < 0 && greeting.length < 4096) return
      const line = greeting.slice(0, end < 0 ? 80 : end).trim()
      socket.write('QUIT\r\n')
      const printable = line.replaceAll(/[^\x20-\x7e]/g, '?')
      if (/^(120|220)[ -]/.test(line)) settle(ok(check, `${where} says ${printable}`))
      else
        settle(
          warn(check, `${where} says ${printable}`, 'an FTP server greets with 220: is this the right port?'),
        )
    })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      settle(fail(check, `${where}: ${error.message}`, cureFor(error.code)))
    })
    socket.on('end', () => {
      settle(
        fail(
          check,
          `${where} closes without a greeting`,
          'look at the server’s log: it may refuse this address',
        ),
      )
    })
  })
}

/** Whether TLS begins with the first byte; whose it is, clients judge for themselves. */
function checkTls({ check, host, port }: Omit<Asked, 'tls'>, timeoutMs: number): Promise<Finding> {
  const where = `${host} port ${port}`
  return new Promise((resolve) => {
    const socket = connectTls({ host, port, rejectUnauthorized: false, timeout: timeoutMs })
    const settle = (finding: Finding) => {
      socket.destroy()
      resolve(finding)
    }
    socket.on('secureConnect', () => {
      const subject = socket.getPeerCertificate().subject?.CN ?? 'nobody'
      settle(
        ok(check, `${where}: ${socket.getProtocol()} from the first byte, with a certificate of ${subject}`),
      )
    })
    socket.on('timeout', () => {
      const cure = 'check the address and the port: implicit TLS is usually on 990'
      settle(fail(check, `${where} does not begin TLS within ${timeoutMs} ms`, cure))
    })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      const isClear = error.code === 'ERR_SSL_WRONG_VERSION_NUMBER'
      const cure = 'tls.mode: passthrough is for servers that greet in clear and know AUTH TLS'
      if (isClear) settle(fail(check, `${where} speaks in clear where TLS should begin`, cure))
      else settle(fail(check, `${where}: ${error.message}`, cureFor(error.code)))
    })
  })
}

function cureFor(code: string | undefined): string {
  switch (code) {
    case 'ECONNREFUSED':
      return 'start the server, or correct the port'
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'correct the name, or the resolver of this machine'
    default:
      return 'check the address, the route and the firewalls on the way'
  }
}
