import { intruderReasons, refusalReasons, rejectReasons } from '../metrics/labels.ts'
import type { RefusalView } from './shapes.ts'

/** What happened, in two or three words. */
export const refusalKinds: Readonly<Record<RefusalView['event'], string>> = {
  'command.deny': 'command refused',
  'session.reject': 'client sent away',
  'pinhole.intrude': 'stranger at a data port',
}

const meanings: Readonly<Record<RefusalView['event'], Readonly<Record<string, string>>>> = {
  'command.deny': refusalReasons,
  'session.reject': rejectReasons,
  'pinhole.intrude': intruderReasons,
}

/** Why, as docs/metrics.md words it: of `bounce`, `'PORT or EPRT named another host'`. */
export function meaningOf({ event, reason }: Pick<RefusalView, 'event' | 'reason'>): string {
  return (meanings[event][reason] ?? reason).replaceAll('`', '')
}
