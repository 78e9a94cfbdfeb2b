// Loaded into the profiled process: `--import record-cpu.js?file=FILE&intervalUs=250`. Node's own `--cpu-prof` writes when
// Node exits, and a daemon ends without that (src/process/end-process.ts).

import { writeFileSync } from 'node:fs'
import { Session } from 'node:inspector'

const { searchParams } = new URL(import.meta.url)
const session = new Session()
session.connect()
session.post('Profiler.enable')
session.post('Profiler.setSamplingInterval', { interval: Number(searchParams.get('intervalUs')) })
session.post('Profiler.start')
process.once('SIGTERM', () => {
  session.post('Profiler.stop', (error, result) => {
    if (error === null) writeFileSync(searchParams.get('file') ?? '', JSON.stringify(result.profile))
  })
})
