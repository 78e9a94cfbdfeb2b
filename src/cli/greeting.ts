import type { Config, ListenAddress } from '../config/config.ts'

/**
 * What a user at a terminal wants to know first, in one line.
 *
 * `'ftp-alg 0.1.0 listens on 0.0.0.0:2121; status page: http://127.0.0.1:9121/'`
 */
export function greetingOf(
  version: string,
  { listeners, admin }: Pick<Config, 'listeners' | 'admin'>,
): string {
  const isOne = listeners.length === 1
  const where = listeners
    .map(({ name, listen }) => (isOne ? at(listen) : `${at(listen)} (${name})`))
    .join(', ')
  const page =
    admin === null ? 'no status page (admin is off)' : `status page: http://${reachable(admin.listen)}/`
  return `ftp-alg ${version} listens on ${where}; ${page}`
}

function at({ address, port }: ListenAddress): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}

/** A browser on this machine gets there. */
function reachable({ address, port }: ListenAddress): string {
  if (address === '0.0.0.0') return at({ address: '127.0.0.1', port })
  return at({ address: address === '::' ? '::1' : address, port })
}
