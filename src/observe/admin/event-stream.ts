// Server-sent events for the status page: what changed on it, about once a second. Nothing is rendered while nobody
// listens, and once for all who do.

import type { ServerResponse } from 'node:http'
import type { Sections } from '../page/render.ts'

/** What the page shows now. */
export interface Update {
  readonly version: string
  readonly sections: Sections
}

export interface EventStream {
  /** Null where a listener has no place; else takes the response, whose head is not written yet. */
  join(response: ServerResponse, headers: Readonly<Record<string, string>>): void
  /** No place is left. */
  readonly isFull: boolean
  readonly listeners: number
}

export interface EventStreamOptions {
  readonly render: () => Promise<Update>
  /** The page could not be rendered; everybody was sent away. */
  readonly failed: (error: unknown) => void
  readonly maxListeners?: number
  readonly intervalMs?: number
}

/** One open page is one listener. Each costs a socket and some 50 kB a second when many sessions are shown. */
const MAX_LISTENERS = 16
const INTERVAL_MS = 1000
/** A listener with this much unread is left out until it has caught up; then it gets the whole page. */
const MAX_UNREAD_BYTES = 256 * 1024
/** A browser that lost its connection comes back after so long. */
const RECONNECT_MS = 2000

export function createEventStream(options: EventStreamOptions): EventStream {
  const { render, failed, maxListeners = MAX_LISTENERS, intervalMs = INTERVAL_MS } = options
  /** Each with whether it has all that was sent before. */
  const listeners = new Map<ServerResponse, { isCurrent: boolean }>()
  let timer: NodeJS.Timeout | null = null
  let isRendering = false
  let before: Partial<Sections> = {}

  const leave = (response: ServerResponse) => {
    listeners.delete(response)
    if (listeners.size > 0 || timer === null) return
    clearInterval(timer)
    timer = null
    before = {}
  }
  const send = ({ version, sections }: Update) => {
    const changed = difference(before, sections)
    before = sections
    const brief = encode({ version, sections: changed })
    let whole: string | null = null
    for (const [response, listener] of listeners) {
      if (response.writableLength > MAX_UNREAD_BYTES) {
        listener.isCurrent = false
        continue
      }
      whole ??= listener.isCurrent ? null : encode({ version, sections })
      response.write(listener.isCurrent ? brief : whole)
      listener.isCurrent = true
    }
  }
  const tick = async () => {
    if (isRendering) return
    isRendering = true
    try {
      send(await render())
    } catch (error) {
      failed(error)
      for (const response of listeners.keys()) response.end()
    } finally {
      isRendering = false
    }
  }
  return {
    join: (response, headers) => {
      response.writeHead(200, {
        ...headers,
        'Content-Type': 'text/event-stream; charset=utf-8',
        // nginx would gather events otherwise.
        'X-Accel-Buffering': 'no',
      })
      response.write(`retry: ${RECONNECT_MS}\n\n`)
      listeners.set(response, { isCurrent: false })
      response.once('close', () => leave(response))
      timer ??= setInterval(tick, intervalMs).unref()
      void tick()
    },
    get isFull() {
      return listeners.size >= maxListeners
    },
    get listeners() {
      return listeners.size
    },
  }
}

function difference(before: Partial<Sections>, now: Sections): Partial<Sections> {
  return Object.fromEntries(
    Object.entries(now).filter(([name, markup]) => before[name as keyof Sections] !== markup),
  )
}

/** JSON has no line end in it, so one `data:` line holds it. */
function encode(message: { readonly version: string; readonly sections: Partial<Sections> }): string {
  return `event: update\ndata: ${JSON.stringify(message)}\n\n`
}
