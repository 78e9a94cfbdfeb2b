import type { Config, PortRangeConfig } from '../config/config.ts'
import { cutSlice } from '../config/port-range.ts'

/**
 * The configuration of one worker of several: its own slice of the data ports, its part of the session limit until it is
 * told a better one, no admin listener. `sessionsPerClient` and `pinholesPerClient` hold for each worker by itself.
 */
export function workerConfig(config: Config, index: number): Config {
  const { dataPorts, limits, workers } = config
  const slice = (range: PortRangeConfig): PortRangeConfig => {
    const cut = cutSlice(range, { index, of: workers })
    if (cut === null) throw new Error(`ports ${range.first}-${range.last} are fewer than ${workers} workers`)
    return { ...range, ...cut }
  }
  return {
    ...config,
    dataPorts: { ...dataPorts, client: slice(dataPorts.client), server: slice(dataPorts.server) },
    limits: { ...limits, sessions: Math.ceil(limits.sessions / workers) },
    admin: null,
  }
}
