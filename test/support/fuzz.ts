/**
 * How often a test with random input repeats itself: `usual` times, or in proportion where `FUZZ_RUNS` says another
 * number than 200. `FUZZ_RUNS=20000` looks a hundred times longer, `FUZZ_RUNS=40` a fifth (`npm run quick`).
 */
export function fuzzRuns(usual: number): number {
  const factor = Number(process.env.FUZZ_RUNS ?? 200) / 200
  if (!(factor > 0)) throw new Error(`FUZZ_RUNS=${process.env.FUZZ_RUNS} is no number above 0`)
  return Math.max(1, Math.round(usual * factor))
}
