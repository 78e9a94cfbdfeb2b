import { readChoice, writeChoice } from '../page/choice.ts'
import type { PageContent } from '../page/content.ts'
import { operatorScript } from '../page/operator-script.ts'
import { renderPage } from '../page/render.ts'
import { pageScript } from '../page/script.ts'
import { pageIcon, pageStyle } from '../page/style.ts'
import { PAGE_ROWS } from '../page/table.ts'
import type { Recorder } from '../recorder.ts'
import { createRateMeter } from '../view/rates.ts'
import type { StatusAnswer } from '../view/shapes.ts'

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

/** Listeners that cannot accept connections for now, and pools without an available server, as sentences. */
export function obstaclesOf(what: {
  readonly resting: readonly string[]
  readonly unavailable: readonly string[]
}): readonly string[] {
  return [
    ...what.resting.map((name) => `cannot accept connections for now: ${name} (log event listener.error)`),
    ...what.unavailable.map((name) => `no server of the pool ${name} is available (log event upstream.lose)`),
  ]
}

/** No listener takes new sessions, as an operator wants it. */
export const drainedReadiness: Readiness = {
  ready: false,
  reason: 'drained by an operator (ftp-alg resume ends that)',
}

/** Of a process that runs. */
export function readinessOf(obstacles: readonly string[]): Readiness {
  return { ready: obstacles.length === 0, reason: obstacles.join('; ') }
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
  /** Operators can show a token. */
  readonly canAct: boolean
}

export interface Answers {
  /** Null where there is no such page. */
  at(path: string, query: URLSearchParams): Promise<Answer> | null
}

const PLAIN = 'text/plain; charset=utf-8'
const JSON_TYPE = 'application/json; charset=utf-8'
/** Prometheus text format; every scraper accepts it, whatever else it asks for. */
const EXPOSITION = 'text/plain; version=0.0.4; charset=utf-8'

/** An answer that costs more than a few microseconds is kept this long, so that nobody can slow FTP by asking often. */
const KEEP_MS = 250
/** Filters and orders that readers have at once. */
const MAX_CHOICES = 20

export function createAnswers({ observer, ready, canAct }: AnswerOptions): Answers {
  const rates = createRateMeter()
  const notReady = () => {
    const { ready: isReady, reason } = ready()
    return isReady ? null : reason
  }
  const content = kept(async (): Promise<Omit<PageContent, 'choice'>> => {
    const [status, sessions, pinholes] = [
      observer.status(),
      observer.sessions(),
      observer.pinholes(PAGE_ROWS),
    ]
    return {
      status: await status,
      notReady: notReady(),
      sessions: await sessions,
      pinholes: await pinholes,
      rates: rates.measure(await status, performance.now()),
      now: new Date(),
      canAct,
    }
  })
  const pages = new Map<string, () => Promise<Answer>>()
  const page = (query: URLSearchParams): Promise<Answer> => {
    const choice = readChoice(query)
    const name = writeChoice(choice)
    const known = pages.get(name)
    if (known !== undefined) return known()
    // What many readers want at once is made once; more than these are not remembered.
    for (const oldest of pages.keys()) if (pages.size >= MAX_CHOICES) pages.delete(oldest)
    const make = kept(async () =>
      answer(200, 'text/html; charset=utf-8', renderPage({ ...(await content()), choice })),
    )
    pages.set(name, make)
    return make()
  }
  const paths: Readonly<Record<string, (query: URLSearchParams) => Promise<Answer>>> = {
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
      const status = await observer.status()
      return json({ ready: reason === null, not_ready_reason: reason, ...status } satisfies StatusAnswer)
    }),
    '/api/v1/sessions': kept(async () => {
      const { total, items } = await observer.sessions()
      return json({ total, sessions: items })
    }),
    '/api/v1/pinholes': kept(async () => {
      const { total, items } = await observer.pinholes()
      return json({ total, pinholes: items })
    }),
    '/': page,
    '/style.css': fixed('text/css; charset=utf-8', pageStyle),
    '/script.js': fixed('text/javascript; charset=utf-8', pageScript + operatorScript),
    '/icon.svg': fixed('image/svg+xml', pageIcon),
  }
  return {
    at: (path, query) => (Object.hasOwn(paths, path) ? (paths[path]?.(query) ?? null) : null),
  }
}

/** Makes it at most once in 250 ms; those who ask meanwhile share it. */
function kept<Thing>(make: () => Promise<Thing>): () => Promise<Thing> {
  let until = 0
  let current: Promise<Thing> | null = null
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

function fixed(type: string, body: string): () => Promise<Answer> {
  const made = answer(200, type, body)
  return async () => made
}

function json(value: unknown): Answer {
  return answer(200, JSON_TYPE, `${JSON.stringify(value)}\n`)
}

function answer(status: Answer['status'], type: string, body: string): Answer {
  return { status, type, body: Buffer.from(body) }
}
