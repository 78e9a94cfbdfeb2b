import type { ListenAddress } from '../../config/config.ts'
import { type ConfigSources, configFileOf, loadConfig } from '../../config/load.ts'
import { configSetting } from '../../config/settings.ts'
import { formatListen, parseListen, parseUpstream } from '../../config/socket-address.ts'
import { AlgError } from '../../errors.ts'

/** Where to ask. `host` may be a name. */
export interface AdminAddress {
  readonly host: string
  readonly port: number
  /** As messages name it: `127.0.0.1:9121`. */
  readonly text: string
}

const DEFAULT = '127.0.0.1:9121'

/**
 * `--admin`, else what the configuration file says, else FTP_ALG_ADMIN, else what the default file says if it can be read,
 * else 127.0.0.1:9121. Where the listener takes every address, loopback is asked.
 *
 * Errors: `AlgError` USAGE_INVALID, CONFIG_INVALID; RUNTIME_FAILED when the configuration switches the listener off.
 */
export function adminAddress(sources: ConfigSources): AdminAddress {
  const { flags, environment } = sources
  const file = flags[configSetting.flag] ?? environment[configSetting.variable]
  if (flags.admin === undefined && file !== undefined && file !== '') return fromConfig(sources)
  const text = flags.admin ?? environment.FTP_ALG_ADMIN
  if (text === undefined || text === '') return fromDefaultFile(sources) ?? fromText(DEFAULT)
  return fromText(String(text))
}

/** Not asked for, so that a file which only root may read, or which has a mistake in it today, is in nobody's way. */
function fromDefaultFile(sources: ConfigSources): AdminAddress | null {
  try {
    if (configFileOf(sources) === null) return null
    const { admin } = loadConfig(sources).config
    return admin === null ? null : reachable(admin.listen)
  } catch (error) {
    if (error instanceof AlgError) return null
    throw error
  }
}

function fromConfig(sources: ConfigSources): AdminAddress {
  const { admin } = loadConfig(sources).config
  if (admin !== null) return reachable(admin.listen)
  throw new AlgError(
    'RUNTIME_FAILED',
    'the configuration switches the admin listener off (admin: false), so status has nothing to ask',
  )
}

function fromText(text: string): AdminAddress {
  const listen = parseListen(text)
  if (listen.ok) return reachable(listen.value)
  const named = parseUpstream(text)
  // Without a port `parseUpstream` means FTP's.
  if (named.ok && /:\d+$/.test(text)) return { ...named.value, text }
  throw new AlgError(
    'USAGE_INVALID',
    `--admin: ${listen.reason} (given ${JSON.stringify(text)}, allowed HOST:PORT or [IPv6]:PORT, as in ${DEFAULT})`,
  )
}

function reachable(listen: ListenAddress): AdminAddress {
  if (listen.port === 0) {
    throw new AlgError(
      'USAGE_INVALID',
      'the admin listener has port 0, which the system replaces by any: name the port with --admin ADDR:PORT',
    )
  }
  const loopback: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' }
  const address = loopback[listen.address] ?? listen.address
  return { host: address, port: listen.port, text: formatListen({ address, port: listen.port }) }
}
