// `ftp-alg end`, `drain` and `resume`: what operators do to a running proxy, through its admin listener.

import { parseDuration } from '../config/duration.ts'
import { type ConfigSources, configFileOf, loadConfig } from '../config/load.ts'
import { AlgError } from '../errors.ts'
import { readToken } from '../observe/admin/token.ts'
import { adminAddress } from './status/admin-address.ts'
import { askAs } from './status/ask-admin.ts'

export interface OperateRequest {
  /** `--admin`, `--config` and their variables, as for `status`. */
  readonly sources: ConfigSources
  /** `--token FILE`; without it FTP_ALG_ADMIN_TOKEN, or what the configuration names. */
  readonly tokenFile: string | undefined
  readonly stdout: { write(text: string): unknown }
}

/** Gives 0, or 1 when one of them is not there. Errors: `AlgError` USAGE_INVALID, CONFIG_INVALID, RUNTIME_FAILED. */
export async function end(request: OperateRequest & { readonly ids: readonly string[] }): Promise<0 | 1> {
  const { ids, stdout } = request
  let missing = 0
  for (const id of ids) {
    if (!/^[0-9a-z]{1,32}$/.test(id)) {
      const given = JSON.stringify(id)
      throw new AlgError(
        'USAGE_INVALID',
        `this is not the id of a session (given ${given}, allowed ids as ftp-alg status shows them)`,
      )
    }
    const { status } = await act(request, `/api/v1/sessions/${id}/end`, { allow404: true })
    if (status === 404) missing += 1
    stdout.write(status === 404 ? `There is no session ${id}.\n` : `Session ${id} ended.\n`)
  }
  return missing === 0 ? 0 : 1
}

export interface DrainRequest extends OperateRequest {
  readonly listeners: readonly string[]
  /** Idle sessions end, the others after their transfers. */
  readonly endsSessions: boolean
  /** `--wait`, a duration: until no session runs. */
  readonly wait: string | undefined
}

/** Gives 0, or 1 when sessions are left at the end of `wait`. Errors: as `end`. */
export async function drain(request: DrainRequest): Promise<0 | 1> {
  const { listeners, endsSessions, wait, stdout } = request
  const waitS = wait === undefined ? 0 : secondsOf(wait)
  const query = queryOf(listeners)
  if (endsSessions) query.set('end', 'true')
  if (waitS > 0) query.set('wait', String(waitS))
  const { body } = await act(request, `/api/v1/drain?${query}`, { waitS })
  const { drained, empty } = body as { drained: readonly string[]; empty: boolean | null } // as the API promises
  stdout.write(
    `Drained: ${drained.join(', ')}. New clients get 421; ${endsSessions ? 'sessions end after their transfers' : 'sessions go on'}. ftp-alg resume ends that.\n`,
  )
  if (waitS > 0) stdout.write(empty === true ? 'No session is left.\n' : 'Sessions are left.\n')
  return empty === false ? 1 : 0
}

/** Gives 0. Errors: as `end`. */
export async function resume(
  request: OperateRequest & { readonly listeners: readonly string[] },
): Promise<0> {
  const { listeners, stdout } = request
  const query = queryOf(listeners)
  const { body } = await act(request, `/api/v1/resume?${query}`, {})
  const { resumed } = body as { resumed: readonly string[] } // as the API promises
  stdout.write(`${resumed.join(', ')}: new clients are taken again.\n`)
  return 0
}

async function act(
  request: OperateRequest,
  path: string,
  { waitS = 0, allow404 = false },
): Promise<{ readonly status: number; readonly body: unknown }> {
  const address = adminAddress(request.sources)
  const token = readToken(tokenFileOf(request))
  const { status, body } = await askAs(address, { path, token, waitMs: waitS * 1000 })
  if (status === 200) return { status, body: JSON.parse(body) }
  if (status === 404 && allow404) return { status, body: null }
  throw new AlgError(
    'RUNTIME_FAILED',
    `the proxy at ${address.text} refuses: ${body.trim()} (HTTP ${status})`,
  )
}

function tokenFileOf({ sources, tokenFile }: OperateRequest): string {
  const { environment } = sources
  const named = tokenFile ?? environment.FTP_ALG_ADMIN_TOKEN
  if (named !== undefined && named !== '') return named
  const inConfig = configFileOf(sources) === null ? undefined : loadConfig(sources).config.admin?.token
  if (inConfig !== undefined) return inConfig
  throw new AlgError(
    'USAGE_INVALID',
    'needs the token of the proxy: --token FILE, FTP_ALG_ADMIN_TOKEN=FILE, or --config FILE with admin.token in it',
  )
}

function secondsOf(text: string): number {
  const parsed = parseDuration(text)
  if (parsed.ok && parsed.value <= 86_400_000) return Math.ceil(parsed.value / 1000)
  const reason = parsed.ok ? 'is longer than a day' : parsed.reason
  throw new AlgError(
    'USAGE_INVALID',
    `--wait: ${reason} (given ${JSON.stringify(text)}, allowed up to 1d, as in 300s or 5m)`,
  )
}

function queryOf(listeners: readonly string[]): URLSearchParams {
  return new URLSearchParams(listeners.map((name): [string, string] => ['listener', name]))
}
