// Figures as people read them, on the status page and in a terminal. The exact value stands beside them or in the API.

import type { StatusView } from './shapes.ts'

/** `1536` gives `'1.5 kB'`, in steps of 1000 as dashboards have them. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB']
  let value = bytes
  let unit = 0
  // 999,950 would be rounded to 1000.0 kB.
  while (value >= (unit === 0 ? 1000 : 999.95) && unit < units.length - 1) {
    value /= 1000
    unit += 1
  }
  return unit === 0 ? `${Math.round(value)} B` : `${value.toFixed(1)} ${units[unit]}`
}

/** `12345` gives `'12,345'`. */
export function formatCount(count: number): string {
  return String(Math.round(count)).replace(/\B(?=(\d{3})+$)/g, ',')
}

/** `formatPlural(2, 'session')` gives `'2 sessions'`. */
export function formatPlural(count: number, thing: string): string {
  return `${formatCount(count)} ${thing}${count === 1 ? '' : 's'}`
}

/** `93784000` gives `'1d 2h'`, `61000` gives `'1m 1s'`, `900` gives `'0s'`. */
export function formatDuration(ms: number): string {
  const seconds = Math.floor(ms / 1000)
  if (seconds < 60) return `${seconds}s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m ${seconds % 60}s`
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h ${Math.floor((seconds % 3600) / 60)}m`
  return `${Math.floor(seconds / 86_400)}d ${Math.floor((seconds % 86_400) / 3600)}h`
}

/** `'10.0.0.5:21'`, `'[2001:db8::5]:21'`, or null where there is no address yet. */
export function formatEndpoint(address: string | null, port: number | null): string | null {
  if (address === null) return null
  const host = address.includes(':') ? `[${address}]` : address
  return port === null ? host : `${host}:${port}`
}

/** `'2026-05-04T12:03:04.123Z'` gives `'2026-05-04 12:03:04 UTC'`. */
export function formatTime(iso: string): string {
  return `${iso.slice(0, 10)} ${iso.slice(11, 19)} UTC`
}

/** Control characters as their pictures, so that no terminal and no browser acts on them: ESC is `'␛'`. */
export function withControlPictures(text: string): string {
  return text.replace(/[\x00-\x1f\x7f]/g, (character) =>
    character === '\x7f' ? '␡' : String.fromCharCode(0x2400 + character.charCodeAt(0)),
  )
}

/** `epoll`, or `Node's sockets (koffi is not installed)`; `-` until it is known. */
export function formatTcp({ tcp }: { readonly tcp: StatusView['tcp'] }): string {
  if (tcp === null) return '-'
  return tcp.implementation === 'epoll' ? 'epoll' : `Node's sockets (${tcp.reason ?? 'no reason known'})`
}
