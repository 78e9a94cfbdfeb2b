import { ControlEngine } from '../../engine/control.ts'
import type { EngineOptions } from '../../engine/options.ts'
import { isOwnAddress } from '../../kernel/own-addresses.ts'
import type { SessionStart } from './setting.ts'
import { TracedEngine } from './trace.ts'

/** The engine of one client's session, as its listener is set. `client` is canonical. */
export function createEngine(
  { setting, observer, introduction }: Pick<SessionStart, 'setting' | 'observer' | 'introduction'>,
  client: string,
): ControlEngine {
  const options: EngineOptions = {
    client,
    upstreamMode: setting.upstreamMode,
    upstreamVerbs: setting.upstreamVerbs,
    reachesFirst: setting.backend.name === 'relay',
    policy: setting.policy,
    isOwnAddress,
    welcome: setting.destinations?.welcome(client) ?? null,
    serverName: introduction?.serverName ?? null,
    tls: setting.tls?.policy ?? null,
    passthrough: setting.passthrough,
  }
  const sessionId = observer.id
  const write = setting.trace?.(sessionId) ?? null
  return write === null ? new ControlEngine(options) : new TracedEngine(options, { sessionId, write })
}
