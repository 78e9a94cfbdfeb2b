import type { Measure } from './measure.ts'
import { withCpu } from './measure.ts'

interface BulkOptions {
  readonly direction: 'down' | 'up'
  readonly streams: number
  readonly bytes: number
}

/** In the kernel 1 GB is over in half a second, and the session around it costs more than its bytes. */
const kernelFactor = 4

/** Large transfers: one alone, or many that begin together. */
export function bulkMeasure({ direction, streams, bytes }: BulkOptions): Measure {
  const what = direction === 'down' ? 'download' : 'upload'
  const size = sizeOf(bytes)
  return {
    id: streams === 1 ? `bulk-${direction}` : `parallel-${direction}`,
    name: streams === 1 ? 'bulk' : 'parallel',
    title: streams === 1 ? `Bulk ${what}` : `${streams} parallel ${what}s of ${size}`,
    method: `${streams === 1 ? `One ${what} of ${size}, of ${sizeOf(kernelFactor * bytes)} where the kernel moves the bytes` : `${streams} sessions log in, then each makes one ${what} of ${size}, all at once`}; timed from the first command to the last 226.`,
    metrics: [
      { id: 'speed', title: 'GB/s', unit: 'GB/s', better: 'more' },
      { id: 'cpu', title: 'proxy CPU per GB', unit: 's', better: 'less' },
    ],
    suits: ({ system }) => system.suits.has(streams === 1 ? 'bulk' : 'parallel'),
    async run(lab, contestant) {
      const { target, system } = contestant
      const each = streams === 1 && system.forwardsInKernel ? kernelFactor * bytes : bytes
      const { result, cpuSeconds } = await withCpu(contestant, () =>
        lab.run({ kind: 'bulk', target, direction, streams, bytes: each }),
      )
      const gigabytes = result.bytes / 1e9
      if (gigabytes === 0) return { values: {}, failures: result.failures }
      return {
        values: { speed: gigabytes / result.seconds, cpu: cpuSeconds / gigabytes },
        failures: result.failures,
      }
    },
  }
}

function sizeOf(bytes: number): string {
  return bytes >= 1e9 ? `${bytes / 1e9} GB` : `${bytes / 1e6} MB`
}
