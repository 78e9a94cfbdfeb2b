// The data side of a session, with everything it needs of the session.

import type { Event } from '../../engine/contract.ts'
import type { SessionObserver } from '../../observe/observer.ts'
import { SessionData } from '../data/data-side.ts'
import type { SessionPeers } from './peers.ts'
import type { SessionTls } from './session-tls.ts'
import type { SessionSetting } from './setting.ts'

export interface SessionDataParts {
  readonly setting: SessionSetting
  readonly observer: SessionObserver
  readonly peers: SessionPeers
  readonly tls: SessionTls | null
  readonly isWorkedOn: (channel: number) => boolean
  readonly emit: (event: Event) => void
}

export function openSessionData(parts: SessionDataParts): SessionData {
  const { setting, observer, peers, tls, isWorkedOn, emit } = parts
  return new SessionData({
    observer,
    backend: setting.backend,
    dataPeers: setting.dataPeers,
    pinholeTimeoutMs: setting.pinholeTimeoutMs,
    connectMs: setting.limits.connectMs,
    addresses: peers,
    connect: ({ side, endpoint: to }, done) => {
      const { through } = peers
      if (side === 'server' && through !== null) {
        return setting.upstreams.connectData({ through, port: to.port }, done)
      }
      const { from, fromPort } = peers.dataSource(side, to)
      return setting.dialer.dial({ to, from, fromPort }, done)
    },
    secure: tls === null ? null : (leg, secured, truncated) => tls.secureData(leg, secured, truncated),
    isWorkedOn,
    emit,
  })
}
