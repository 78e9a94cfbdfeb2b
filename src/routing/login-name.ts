// The destinations that clients of a forward proxy name: `USER name@host:port`, `OPEN host`, `SITE host port`.

import { parseAddress } from '../ftp/addresses.ts'

export interface NamedHost {
  /** A DNS name in lower case, or a canonical address. */
  readonly host: string
  readonly port: number
}

/**
 * Reads what stands behind USER. The last @ parts, since names may have one: `'joe@corp@ftp.example.net'` gives user
 * `'joe@corp'`. Null without a host.
 */
export function parseLogin(argument: string): (NamedHost & { readonly user: string }) | null {
  const at = argument.lastIndexOf('@')
  const named = at <= 0 ? null : parseNamedHost(argument.slice(at + 1))
  return named === null ? null : { ...named, user: argument.slice(0, at) }
}

/** Reads `'ftp.example.net'`, `'ftp.example.net:2121'`, `'10.0.0.5 2121'` and `'[2001:db8::5]:2121'`. Null for anything else. */
export function parseNamedHost(text: string): NamedHost | null {
  const [, bracketed, plain = '', digits] =
    /^ *(?:\[([0-9A-Fa-f:.]+)\]|([^ :[\]]+))(?:[: ] *([0-9]{1,5}))? *$/.exec(text) ?? []
  const port = digits === undefined ? FTP_PORT : Number(digits)
  const host = bracketed === undefined ? hostOf(plain) : parseAddress(bracketed)
  return host === null || port < 1 || port > 65_535 ? null : { host, port }
}

const FTP_PORT = 21

/** RFC 1123 §2.1, with underscores. A last label of digits is a misspelt address. */
function hostOf(text: string): string | null {
  const address = parseAddress(text)
  if (address !== null) return address
  const labels = text.replace(/\.$/, '').split('.')
  const isName = labels.every((label) => /^[0-9A-Za-z_]([0-9A-Za-z_-]{0,61}[0-9A-Za-z_])?$/.test(label))
  const isMisspelt = /^([0-9]+|0x[0-9a-f]*)$/i.test(labels.at(-1) ?? '')
  return isName && !isMisspelt && text.length <= 254 ? labels.join('.').toLowerCase() : null
}
