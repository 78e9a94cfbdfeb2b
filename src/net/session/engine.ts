import { ControlEngine } from '../../engine/control.ts'
import { isOwnAddress } from '../../kernel/own-addresses.ts'
import type { SessionSetting } from './setting.ts'

/** The engine of one client's session, as its listener is set. `client` is canonical. */
export function createEngine(setting: SessionSetting, client: string): ControlEngine {
  return new ControlEngine({
    client,
    upstreamMode: setting.upstreamMode,
    upstreamVerbs: setting.upstreamVerbs,
    reachesFirst: setting.backend.name === 'relay',
    policy: setting.policy,
    isOwnAddress,
    tls: setting.tls?.policy ?? null,
  })
}
