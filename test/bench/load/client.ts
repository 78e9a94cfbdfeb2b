// The load client: does one job and prints its result.
//
//   node client.js '{"kind":"probe","target":{"at":{"address":"127.0.0.1","port":2121},"user":"anonymous"},"fileBytes":1000}'

import { writeSync } from 'node:fs'
import { openTlsWire } from '../wire/tls-sockets.ts'
import { openWire } from '../wire/wire.ts'
import type { Job } from './jobs.ts'
import { runBulk } from './run-bulk.ts'
import { runHandshakes } from './run-handshakes.ts'
import { runIdle } from './run-idle.ts'
import { runMischief } from './run-mischief.ts'
import { runProbe } from './run-probe.ts'
import { runRoundTrip } from './run-round-trip.ts'
import { runSessions } from './run-sessions.ts'
import { runTlsMischief } from './run-tls-mischief.ts'

// Written by our own orchestrator.
const job = JSON.parse(process.argv[2] ?? 'null') as Job
const wire = job.target.isTls === true ? openTlsWire(null) : await openWire()
const usageBefore = process.cpuUsage()
switch (job.kind) {
  case 'sessions':
    print(await runSessions(wire, job))
    break
  case 'bulk':
    print(await runBulk(wire, job))
    break
  case 'roundTrip':
    print(await runRoundTrip(wire, job))
    break
  case 'idle':
    print(await runIdle(wire, job))
    await wire.run(wire.isDismissed)
    break
  case 'probe':
    print(await runProbe(wire, job))
    break
  case 'handshakes':
    print(await runHandshakes(wire, job))
    break
  case 'mischief':
    print(await (job.target.isTls === true ? runTlsMischief(job) : runMischief(job)))
    break
}
process.exit(0)

function print(result: object): void {
  const { user, system } = process.cpuUsage(usageBefore)
  writeSync(
    1,
    `${JSON.stringify({ ...result, clientCpuSeconds: (user + system) / 1e6, clientUserSeconds: user / 1e6 })}\n`,
  )
}
