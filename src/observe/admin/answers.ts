import { PAGE_ROWS, renderPage } from '../page/render.ts'
import { pageStyle } from '../page/style.ts'
import type { Recorder } from '../recorder.ts'

export interface Answer {
  readonly status: 200 | 503
  readonly type: string
  readonly body: Buffer
}

/** Whether sessions are accepted; `reason` is one line and is read only when not. */
export interface Readiness {
  readonly ready: boolean
  readonly reason: string
}

/** What the admin server shows: the observer of this process, or those of its workers together. */
export type AdminSource = {
  readonly [Name in 'exposition' | 'status' | 'sessions' | 'pinholes']: (
    ...args: Parameters<Recorder[Name]>
  ) => ReturnType<Recorder[Name]> | Promise<Awaited<ReturnType<Recorder[Name]>>>
}

export interface AnswerOptions {
  readonly observer: AdminSource
  readonly ready: () => Readiness
}

/** Null where there is no such page. */
export type AnswerPath = (path: string) => Promise<Answer> | null

const PLAIN = 'text/plain; charset=utf-8'
const JSON_TYPE = 'application/json; charset=utf-8'
/** Prometheus text format; every scraper accepts it, whatever else it asks for. */
const EXPOSITION = 'text/plain; version=0.0.4; charset=utf-8'

/** An answer that costs more than a few microseconds is kept this long, so that nobody can slow FTP by asking often. */
const KEEP_MS = 250

export function createAnswers({ observer, ready }: AnswerOptions): AnswerPath {
  const style = answer(200, 'text/css; charset=utf-8', pageStyle)
  const notReady = () => {
    const { ready: isReady, reason } = ready()
    return isReady ? null : reason
  }
  const paths: Readonly<Record<string, () => Promise<Answer>>> = {
    '/livez': async () => answer(200, PLAIN, 'ok\n'),
    '/readyz': async () => {
      const reason = notReady()
      return reason === null
        ? answer(200, PLAIN, 'ready\n')
        : answer(503, PLAIN, `not ready: ${reason.replaceAll(/\s+/g, ' ')}\n`)
    },
    '/metrics': kept(async () => answer(200, EXPOSITION, await observer.exposition())),
    '/api/v1/status': kept(async () => {
      const reason = notReady()
      return json({ ready: reason === null, not_ready_reason: reason, ...(await observer.status()) })
    }),
    '/api/v1/sessions': kept(async () => {
      const { total, items } = await observer.sessions()
      return json({ total, sessions: items })
    }),
    '/api/v1/pinholes': kept(async () => {
      const { total, items } = await observer.pinholes()
      return json({ total, pinholes: items })
    }),
    '/': kept(async () => {
      const html = renderPage({
        status: await observer.status(),
        notReady: notReady(),
        sessions: await observer.sessions(PAGE_ROWS),
        pinholes: await observer.pinholes(PAGE_ROWS),
      })
      return answer(200, 'text/html; charset=utf-8', html)
    }),
    '/style.css': async () => style,
  }
  return (path) => (Object.hasOwn(paths, path) ? (paths[path]?.() ?? null) : null)
}

/** Makes the answer at most once in 250 ms; those who ask meanwhile share it. */
function kept(make: () => Promise<Answer>): () => Promise<Answer> {
  let until = 0
  let current: Promise<Answer> | null = null
  return () => {
    if (current === null || performance.now() >= until) {
      until = performance.now() + KEEP_MS
      current = make()
      // One that failed is not worth keeping.
      current.catch(() => {
        current = null
      })
    }
    return current
  }
}

function json(value: unknown): Answer {
  return answer(200, JSON_TYPE, `${JSON.stringify(value)}\n`)
}

function answer(status: Answer['status'], type: string, body: string): Answer {
  return { status, type, body: Buffer.from(body) }
}
