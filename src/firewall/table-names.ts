// What our tables are called. Everything of one instance begins with its own name, so that two instances in one network
// namespace have nothing in common.

import type { Config, ListenerConfig } from '../config/config.ts'

export const DEFAULT_TABLE = 'ftp_alg'

/** A table of ours in the families ip and ip6. */
export interface TableName {
  readonly family: 'ip' | 'ip6'
  readonly name: string
}

/** `'ftp_alg'`, or the name that the configuration gives this instance: `'ftp_alg_dmz'`. */
export function tableOf({ pinholes }: Pick<Config, 'pinholes'>): string {
  return pinholes.table ?? DEFAULT_TABLE
}

/** Workers run beside each other, each with its own slice of the ports: `'ftp_alg_30500'`. */
export function workerTable(table: string, firstPort: number): string {
  return `${table}_${firstPort}`
}

/** The table that brings control connections to us: `'inet ftp_alg_intercept'`. */
export function interceptTableOf(config: Pick<Config, 'pinholes'>): string {
  return `inet ${tableOf(config)}_intercept`
}

/** Whether anything of this configuration stands in tables of ours. */
export function needsTables({ pinholes, listeners }: Pick<Config, 'pinholes' | 'listeners'>): boolean {
  return pinholes.backend === 'nftables' || listeners.some(isElsewhere)
}

/** Whether peers of a listener know us by an address that is not ours: clients by the server's, or servers by the client's. */
export function isElsewhere({ intercept, source }: Pick<ListenerConfig, 'intercept' | 'source'>): boolean {
  return intercept !== 'none' || source === 'client'
}

/** The same, where it takes sockets at those addresses: with redirect the kernel translates. */
export function hasForeignSockets(listener: Pick<ListenerConfig, 'intercept' | 'source'>): boolean {
  return listener.intercept !== 'redirect' && isElsewhere(listener)
}

/**
 * Finds an instance's pinhole tables, those of its workers too, in what `nft list tables` prints.
 *
 * `'table ip ftp_alg\ntable ip6 ftp_alg_30500\ntable ip nat\n'` gives `ip ftp_alg` and `ip6 ftp_alg_30500`.
 */
export function pinholeTablesIn(listed: string, table: string): readonly TableName[] {
  return listed.split('\n').flatMap((line) => {
    const [, family, name = ''] = line.split(' ')
    const isOurs = name.startsWith(table) && /^(_\d+)?$/.test(name.slice(table.length))
    return isOurs && (family === 'ip' || family === 'ip6') ? [{ family, name }] : []
  })
}

/** Finds interception tables of other instances in the same text: `inet ftp_alg_dmz_intercept`. */
export function otherInterceptTablesIn(listed: string, own: string): readonly string[] {
  const tables = [...listed.matchAll(/^table (inet ftp_alg(?:_[0-9A-Za-z]+)?_intercept)$/gm)]
  return tables.flatMap(([, table]) => (table === undefined || table === own ? [] : [table]))
}
