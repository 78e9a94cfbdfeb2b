// Which sessions the reader wants to see, and in which order: in the address of the page, so that it can be kept and
// works without scripts.

import type { SessionView } from '../view/shapes.ts'
import { formatEndpoint } from '../view/wording.ts'

export type SortKey = 'client' | 'user' | 'state' | 'command' | 'up' | 'down' | 'refused' | 'age' | 'listener'

export interface PageChoice {
  /** Text that a session must have somewhere; empty: all. */
  readonly filter: string
  /** Null: the oldest first. */
  readonly sort: { readonly by: SortKey; readonly isReversed: boolean } | null
}

type Value = string | number

/** Figures begin with the largest, texts with the first of the alphabet. */
const values: Readonly<Record<SortKey, (session: SessionView) => Value>> = {
  client: ({ client_ip, client_port }) => formatEndpoint(client_ip, client_port) ?? '',
  user: ({ user }) => user ?? '',
  state: ({ state }) => state,
  command: ({ last_command }) => last_command ?? '',
  up: (session) => session.upload_bytes,
  down: (session) => session.download_bytes,
  refused: ({ refusals }) => refusals,
  age: ({ age_ms }) => age_ms,
  listener: ({ listener }) => listener,
}

const MAX_FILTER = 100

/** `?filter=anna&sort=-down`; what cannot be understood is left out. */
export function readChoice(query: URLSearchParams): PageChoice {
  const filter = (query.get('filter') ?? '').trim().slice(0, MAX_FILTER)
  const [, minus, by = ''] = /^(-?)(\w+)$/.exec(query.get('sort') ?? '') ?? []
  return { filter, sort: isSortKey(by) ? { by, isReversed: minus === '-' } : null }
}

/** `readChoice` gives the same of it; empty for everything in the usual order. */
export function writeChoice({ filter, sort }: PageChoice): string {
  const query = new URLSearchParams()
  if (filter !== '') query.set('filter', filter)
  if (sort !== null) query.set('sort', `${sort.isReversed ? '-' : ''}${sort.by}`)
  return query.toString()
}

/** Those that have the text in a field, whatever its case, in the order that was asked for. */
export function chooseSessions(
  sessions: readonly SessionView[],
  { filter, sort }: PageChoice,
): readonly SessionView[] {
  const wanted = filter.toLowerCase()
  const found = wanted === '' ? sessions : sessions.filter((session) => textOf(session).includes(wanted))
  if (sort === null) return found
  const read = values[sort.by]
  const direction = sort.isReversed ? -1 : 1
  return found.toSorted((one, other) => direction * compare(read(one), read(other)))
}

function textOf(session: SessionView): string {
  const { client_ip, client_port, server_ip, server_port, user, state, mode, last_command } = session
  return [
    formatEndpoint(client_ip, client_port),
    formatEndpoint(server_ip, server_port),
    user,
    state,
    mode,
    last_command,
    session.listener,
    session.session_id,
  ]
    .join('\n')
    .toLowerCase()
}

function compare(one: Value, other: Value): number {
  if (typeof one === 'number' && typeof other === 'number') return other - one
  return String(one).localeCompare(String(other), 'en', { numeric: true })
}

function isSortKey(text: string): text is SortKey {
  return Object.hasOwn(values, text)
}
