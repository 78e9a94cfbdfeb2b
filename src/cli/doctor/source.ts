// `source: client`: what would keep a server from seeing its clients.

import type { Config } from '../../config/config.ts'
import { askIp } from '../../firewall/iproute.ts'
import { parseAddress } from '../../ftp/addresses.ts'
import type { Nft } from '../../kernel/nft.ts'
import { type Finding, fail, ok } from './finding.ts'
import { upstreamsOf } from './upstream.ts'

interface Entry {
  readonly rule?: {
    readonly family?: unknown
    readonly table?: unknown
    readonly chain?: unknown
    readonly handle?: unknown
    readonly expr?: unknown
  }
}

const check = 'source: client'

/** Rules of other people's that put an address of this machine, or another one, in the place of the client's. */
export async function checkSource(config: Config, nft: Nft): Promise<readonly Finding[]> {
  const listeners = config.listeners.filter(({ source }) => source === 'client')
  if (listeners.length === 0) return []
  // Intercepted connections go anywhere.
  const devices = listeners.some(({ intercept }) => intercept !== 'none')
    ? null
    : await devicesTowards(config)
  const { nftables = [] } = nft.json('list ruleset') as { readonly nftables?: readonly Entry[] }
  const hiding = nftables.find(
    ({ rule }) => rule !== undefined && hides(JSON.stringify(rule.expr), devices),
  )?.rule
  if (hiding === undefined) return [ok(check, 'no rule masquerades what goes to the servers')]
  const place = `${hiding.family} ${hiding.table} ${hiding.chain}`
  const names = listeners.map(({ name }) => name).join(', ')
  return [
    fail(
      check,
      `${place} changes addresses (rule ${hiding.handle}): servers of listener ${names} see this machine, and cannot call clients`,
      `nft insert rule ${place} ip daddr SERVERS accept, with your servers in place of SERVERS`,
    ),
  ]
}

/** The interfaces towards the servers, as far as the configuration has their addresses; null when one is not known. */
async function devicesTowards(config: Config): Promise<readonly string[] | null> {
  const devices: string[] = []
  for (const { host } of upstreamsOf(config)) {
    if (parseAddress(host) === null) return null
    const [route] = await askIp(['-json', 'route', 'get', host]).catch(() => [])
    if (typeof route?.dev !== 'string') return null
    devices.push(route.dev)
  }
  return devices
}

/** A rule, as JSON text, that translates sources; `devices`: where it matters, null for everywhere. */
function hides(rule: string, devices: readonly string[] | null): boolean {
  if (!/"(?:masquerade|snat)":/.test(rule)) return false
  // It knows our connections, or is ours.
  if (rule.includes('"ct":{"key":"mark"}') || rule.includes('"key":"mark"')) return false
  const names = /"meta":\{"key":"oifname"\}\},"right":(.+?)\}\}/.exec(rule)?.[1]
  if (names === undefined || devices === null || rule.includes('"op":"!="')) return true
  return devices.some((device) => names.includes(`"${device}"`))
}
