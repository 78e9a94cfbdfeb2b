// What changes something: sessions are ended, listeners drained and resumed.

import type { AdminConfig } from '../../config/config.ts'
import { truncate } from '../log/text.ts'
import type { Recorder } from '../recorder.ts'
import type { AdminOperations } from './operations.ts'
import { mayDrain, type OperationCaller, type Refusal, tokenRefusal } from './permission.ts'

export interface OperatorOptions extends Pick<AdminConfig, 'token' | 'drainFrom'> {
  readonly operations: AdminOperations
  readonly log: Recorder['log']
}

export interface OperationRequest extends OperationCaller {
  readonly method: string
  /** Without query. */
  readonly path: string
  readonly query: URLSearchParams
}

export interface OperationAnswer {
  readonly status: 200 | 400 | 401 | 403 | 404 | 405 | 503
  /** Sent as JSON; a text as it is. */
  readonly body: string | Readonly<Record<string, unknown>>
  /** The methods that are taken, with 405. */
  readonly allow?: string
}

/** Null where nothing is changed at this path. */
export type Operator = (request: OperationRequest) => Promise<OperationAnswer> | null

interface Operation {
  readonly name: 'end_session' | 'drain' | 'resume' | 'ask'
  readonly methods: readonly string[]
  refusal(request: OperationRequest): Refusal | null
  act(request: OperationRequest): Promise<OperationAnswer>
}

/** For a hook that does not say how long it waits. */
const WAIT_S = 300
const LONGEST_WAIT_S = 86_400

/** Errors, of what it gives: `AlgError` when the token's file cannot be read. */
export function createOperator(options: OperatorOptions): Operator {
  const { token, drainFrom = [], operations } = options
  const withToken = (request: OperationRequest) => tokenRefusal(request, token)
  const noteFor = notesTo(options)
  const drain = async (request: OperationRequest, endsSessions: boolean, waitS: number) => {
    const listeners = request.query.getAll('listener')
    noteFor(request, { action: 'drain', listeners, ends_sessions: endsSessions })
    operations.drain({ listeners, endsSessions })
    return { listeners, isEmpty: waitS > 0 ? await operations.whenEmpty(waitS * 1000) : null }
  }
  const all: Readonly<Record<string, Operation>> = {
    '/api/v1/operator': {
      name: 'ask',
      methods: ['GET'],
      refusal: withToken,
      act: async () => ok({ operator: true }),
    },
    '/api/v1/drain': {
      name: 'drain',
      methods: ['POST'],
      refusal: withToken,
      act: checked(operations, async (request, waitS) => {
        const { listeners, isEmpty } = await drain(request, request.query.get('end') === 'true', waitS ?? 0)
        return ok({ drained: listeners.length === 0 ? operations.listeners() : listeners, empty: isEmpty })
      }),
    },
    '/api/v1/resume': {
      name: 'resume',
      methods: ['POST'],
      refusal: withToken,
      act: checked(operations, async (request) => {
        const listeners = request.query.getAll('listener')
        noteFor(request, { action: 'resume', listeners })
        operations.resume(listeners)
        return ok({ resumed: listeners.length === 0 ? operations.listeners() : listeners })
      }),
    },
    // What a preStop hook can ask for, which has neither a body nor a secret.
    '/drain': {
      name: 'drain',
      methods: ['GET'],
      refusal: (request) => (mayDrain(request, drainFrom) ? null : withToken(request)),
      act: checked(operations, async (request, waitS) => {
        const { isEmpty } = await drain(request, true, waitS ?? WAIT_S)
        return isEmpty === false
          ? { status: 503, body: 'sessions are left\n' }
          : { status: 200, body: 'no session is left\n' }
      }),
    },
  }
  const endSession = (id: string): Operation => ({
    name: 'end_session',
    methods: ['POST'],
    refusal: withToken,
    act: async (request) => {
      const wasThere = await operations.endSession(id)
      if (wasThere) noteFor(request, { action: 'end_session', session_id: id })
      return wasThere ? ok({ ended: id }) : { status: 404, body: `there is no session ${id}\n` }
    },
  })
  return (request) => {
    const { path, method } = request
    const [, id] = /^\/api\/v1\/sessions\/([0-9a-z]{1,32})\/end$/.exec(path) ?? []
    const operation = id !== undefined ? endSession(id) : Object.hasOwn(all, path) ? all[path] : undefined
    if (operation === undefined) return null
    return answer(operation, { ...request, method })
  }

  async function answer(operation: Operation, request: OperationRequest): Promise<OperationAnswer> {
    const { name, methods } = operation
    if (!methods.includes(request.method)) {
      const allow = methods.join(', ')
      return { status: 405, body: `only ${allow} is allowed here\n`, allow }
    }
    const refusal = operation.refusal(request)
    if (refusal === null) return operation.act(request)
    options.log('admin.refuse', {
      action: name,
      client_ip: request.from,
      reason: refusal.text,
    })
    return { status: refusal.status, body: `${refusal.text}\n` }
  }
}

function notesTo({ log }: Pick<OperatorOptions, 'log'>) {
  return ({ from }: OperationRequest, fields: Readonly<Record<string, unknown>>): void => {
    log('admin.act', { ...fields, client_ip: from })
  }
}

/** Does it only where the query names listeners that there are, and a time that can be waited for. */
function checked(
  operations: Pick<AdminOperations, 'listeners'>,
  act: (request: OperationRequest, waitS: number | null) => Promise<OperationAnswer>,
): Operation['act'] {
  return async (request) => {
    const known = operations.listeners()
    const unknown = request.query.getAll('listener').find((name) => !known.includes(name))
    if (unknown !== undefined) {
      const given = truncate(JSON.stringify(unknown), 80)
      return bad(`there is no listener ${given} (allowed ${known.join(', ')})`)
    }
    const wait = request.query.get('wait')
    if (wait === null) return act(request, null)
    const [, digits] = /^(\d{1,5})s?$/.exec(wait) ?? []
    if (digits === undefined || Number(digits) > LONGEST_WAIT_S) {
      const given = truncate(JSON.stringify(wait), 80)
      return bad(
        `wait is not a number of seconds (given ${given}, allowed 0 to ${LONGEST_WAIT_S}, as in 300s)`,
      )
    }
    return act(request, Number(digits))
  }
}

function ok(body: Readonly<Record<string, unknown>>): OperationAnswer {
  return { status: 200, body }
}

function bad(text: string): OperationAnswer {
  return { status: 400, body: `${text}\n` }
}
