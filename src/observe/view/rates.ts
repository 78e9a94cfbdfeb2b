import type { StatusView } from './shapes.ts'

/** Bytes per second through all listeners. */
export interface Rates {
  readonly upload: number
  readonly download: number
}

export interface RateMeter {
  /** The mean over the last seconds; null until there is something to compare with. */
  measure(status: Pick<StatusView, 'listeners'>, nowMs: number): Rates | null
}

/** The relay reports its bytes once a second, so a shorter span would flicker between nothing and double. */
const SPAN_MS = 6000
/** After a pause this long the mean would say nothing about now. */
const FORGET_MS = 15_000

/** Measures while the page is open; costs nothing otherwise. */
export function createRateMeter(): RateMeter {
  let samples: { readonly atMs: number; readonly upload: number; readonly download: number }[] = []
  return {
    measure: ({ listeners }, atMs) => {
      const upload = listeners.reduce((total, listener) => total + listener.upload_bytes, 0)
      const download = listeners.reduce((total, listener) => total + listener.download_bytes, 0)
      const last = samples.at(-1)
      // A worker that was started again counts from 0.
      const isBroken = last !== undefined && (upload < last.upload || download < last.download)
      if (isBroken || atMs - (last?.atMs ?? 0) > FORGET_MS) samples = []
      samples.push({ atMs, upload, download })
      // One sample from before the span stays, to measure from.
      while (atMs - (samples[1]?.atMs ?? atMs) >= SPAN_MS) samples.shift()
      const [first] = samples
      if (first === undefined || atMs - first.atMs < 500) return null
      const seconds = (atMs - first.atMs) / 1000
      return { upload: (upload - first.upload) / seconds, download: (download - first.download) / seconds }
    },
  }
}
