import type { Config } from '../../config/config.ts'
import { usesTls } from '../../config/pool-settings.ts'

/** Sockets in the name of others, and TLS, are made of descriptors that we hold ourselves. */
export function needsDescriptors({ listeners, upstreams }: Pick<Config, 'listeners' | 'upstreams'>): boolean {
  if (upstreams.some(({ upstreamTls }) => upstreamTls != null)) return true
  return listeners.some(
    (each) => each.intercept !== 'none' || each.source === 'client' || usesTls(each, upstreams),
  )
}
