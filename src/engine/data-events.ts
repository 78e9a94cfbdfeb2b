import { assertNever } from '../errors.ts'
import type { Event } from './contract.ts'
import type { DataSide } from './data-side.ts'
import type { Transfers } from './transfers.ts'

/** Events about pinholes and data connections. */
export type DataEvent = Extract<
  Event,
  { readonly type: 'delivered' | 'channelEnded' | `pinhole${string}` | `leg${string}` }
>

/** Tells the data side what happened to pinholes and data connections. */
export function handleDataEvent(
  event: DataEvent,
  { data, transfers }: { readonly data: DataSide; readonly transfers: Transfers },
): void {
  switch (event.type) {
    case 'pinholeOpened':
      data.pinholeOpened(event)
      break
    case 'pinholeFailed':
      data.pinholeFailed(event.pinhole, event.reason)
      break
    case 'pinholeExpired':
      transfers.dataFailed(data.pinholeExpired(event.pinhole))
      break
    case 'legConnected':
      data.legConnected(event.channel, event.side)
      break
    case 'legFailed':
      transfers.dataFailed(data.legFailed(event.channel, event.side, event.reason))
      break
    case 'channelEnded':
      transfers.dataFailed(data.channelEnded(event.channel))
      break
    case 'delivered':
      data.channels.delivered(event.channel)
      break
    default:
      assertNever(event)
  }
}
