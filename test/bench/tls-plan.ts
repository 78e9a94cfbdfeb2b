// FTPS: ftp-alg under two Nodes beside what else terminates or originates TLS, one set of tables for each side that is encrypted.

import { bulkMeasure } from './measures/bulk.ts'
import { handshakesMeasure } from './measures/handshakes.ts'
import { idleMemoryMeasure } from './measures/idle-memory.ts'
import type { Measure } from './measures/measure.ts'
import { sessionsMeasure } from './measures/sessions.ts'
import { ftpAlg } from './systems/ftp-alg.ts'
import { haproxyOf } from './systems/haproxy.ts'
import { modProxyOf } from './systems/mod-proxy.ts'
import { stunnelOf } from './systems/stunnel.ts'
import type { System, TlsSide } from './systems/system.ts'

const sides: readonly TlsSide[] = ['front', 'back', 'both']
const words: Readonly<Record<TlsSide, string>> = {
  front: 'TLS to plain',
  back: 'plain to TLS',
  both: 'TLS to TLS',
}
const otherNode = 24

/** Peers are known by the part of their id before the dash: `mod_proxy-front`. */
export const tlsSystems: readonly System[] = sides.flatMap((tls) => [
  ftpAlg({ id: `relay-${tls}`, title: `ftp-alg, ${words[tls]}`, tls }),
  ftpAlg({
    id: `relay${otherNode}-${tls}`,
    title: `ftp-alg on Node ${otherNode}, ${words[tls]}`,
    tls,
    node: otherNode,
  }),
  modProxyOf({ id: `mod_proxy-${tls}`, title: `mod_proxy, ${words[tls]}`, tls }),
  haproxyOf({ id: `haproxy-${tls}`, title: `HAProxy, ${words[tls]}`, tls }),
  ...(tls === 'both' ? [] : [stunnelOf({ id: `stunnel-${tls}`, title: `stunnel, ${words[tls]}`, tls })]),
])

export function tlsMeasures(): readonly Measure[] {
  const bytes = 1_000_000_000
  const seconds = 3
  return sides.flatMap((tls) =>
    [
      bulkMeasure({ direction: 'down', streams: 1, bytes }),
      bulkMeasure({ direction: 'up', streams: 1, bytes }),
      sessionsMeasure({ clients: 16, seconds }),
      ...(tls === 'front' ? [handshakesMeasure({ seconds })] : []),
      ...(tls === 'both' ? [idleMemoryMeasure(1000)] : []),
    ].map((measure) => onlyFor(tls, measure)),
  )
}

function onlyFor(tls: TlsSide, measure: Measure): Measure {
  return {
    ...measure,
    id: `${tls}-${measure.id}`,
    title: `${words[tls]}: ${measure.title.toLowerCase()}`,
    suits: (contestant) => contestant.system.tls === tls && measure.suits(contestant),
  }
}
