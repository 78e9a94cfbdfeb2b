import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'
import { LongestFirst } from './longest-first.ts'

// Four projects, from pure to real: `unit` needs nothing, `integration` and `chaos` need loopback,
// `e2e` needs Linux, root and Debian's FTP programs, and says in one line when it has to skip. A fifth takes as long as it is asked to
// and is run by `npm run ordinary-hour` alone.
const root = new URL('.', import.meta.url).pathname

/** How long `expect.poll` tries: what comes soon comes late on two busy cores, and a second is not enough. */
const expectation = { poll: { timeout: 15_000 } }

export default defineConfig({
  test: {
    root,
    reporters: ['default'],
    // Twice as many as cores: these tests wait half of their time. Files share nothing: each claims its ports or makes its own
    // network namespaces.
    maxWorkers: 2 * availableParallelism(),
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          name: 'unit',
          root,
          // Nothing here changes a module's state: loading each module once per worker halves the time.
          isolate: false,
          globalSetup: './unit/temporary-folder.ts',
          include: ['unit/**/*.test.ts'],
          testTimeout: 60_000,
          expect: expectation,
        },
      },
      {
        test: {
          name: 'integration',
          root,
          include: ['integration/**/*.test.ts'],
          testTimeout: 120_000,
          expect: expectation,
        },
      },
      {
        test: {
          name: 'e2e',
          root,
          include: ['e2e/**/*.test.ts'],
          testTimeout: 300_000,
          hookTimeout: 300_000,
          expect: expectation,
        },
      },
      {
        test: {
          name: 'chaos',
          root,
          include: ['chaos/**/*.test.ts'],
          hookTimeout: 60_000,
          // It takes all that the machine has: alone, after the others.
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
      ...(process.env.ORDINARY_MINUTES === undefined
        ? []
        : [{ test: { name: 'ordinary-hour', root, include: ['e2e/deploy/ordinary-hour.ts'] } }]),
    ],
  },
})
