// From a connection to a proxy to one through it: the server's first byte is the first that is read.

import type { ViaConfig } from '../../../config/config.ts'
import type { UpstreamFailure } from '../../../engine/contract.ts'
import type { Connection } from '../../../tcp/connection.ts'
import { type Introducing, introduce } from '../../../tcp/proxy-protocol/introduce.ts'
import type { TunnelDialogue, TunnelTarget } from './dialogue.ts'
import { httpConnect } from './http-connect.ts'
import { socks5 } from './socks5.ts'

export interface TunnelCall {
  /** To the proxy; nothing was said yet. */
  readonly raw: Connection
  readonly via: ViaConfig
  readonly to: TunnelTarget
  readonly timeoutMs: number
}

export interface TunnelFailure {
  readonly reason: UpstreamFailure
  readonly detail: string
}

/** The connection, or what failed: then nothing is left open. */
export type TunnelResult =
  | [connection: Connection, failure: null]
  | [connection: null, failure: TunnelFailure]

/** Calls back once, unless it is cancelled. */
export function tunnel(
  { raw, via, to, timeoutMs }: TunnelCall,
  done: (...result: TunnelResult) => void,
): Introducing {
  const dialogue = dialogueOf(via, to)
  let reason: UpstreamFailure = 'proxy_unreachable'
  const introducing = introduce(
    raw,
    {
      timeoutMs,
      late: `no answer within ${timeoutMs} ms`,
      ended: 'it closed the connection',
      look(bytes) {
        for (let step = dialogue.read(bytes); step !== null; step = dialogue.read(bytes)) {
          if (step.type === 'open') return { remote: raw.remote, length: step.length }
          if (step.type === 'refused') {
            reason = step.reason
            return { problem: step.detail }
          }
          raw.writeBytes(step.bytes, step.bytes.length)
        }
        return null
      },
    },
    (held, problem) => {
      if (held !== null) {
        done(held, null)
        return
      }
      raw.destroy()
      done(null, { reason, detail: `proxy ${via.host} port ${via.port}: ${problem}` })
    },
  )
  raw.writeBytes(dialogue.opening, dialogue.opening.length)
  return introducing
}

function dialogueOf({ protocol, credentials }: ViaConfig, to: TunnelTarget): TunnelDialogue {
  return protocol === 'socks5' ? socks5(to, credentials) : httpConnect(to, credentials)
}
