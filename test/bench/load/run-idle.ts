import type { Wire } from '../wire/wire.ts'
import { FtpClient } from './ftp-client.ts'
import type { IdleJob, IdleResult } from './jobs.ts'
import { Failures } from './jobs.ts'

/** So many log in at once. */
const width = 32

export async function runIdle(wire: Wire, { target, sessions }: IdleJob): Promise<IdleResult> {
  const failures = new Failures()
  let [begun, opened] = [0, 0]

  const begin = (): void => {
    begun++
    const client = new FtpClient(wire, {
      target: target.at,
      user: target.user,
      onFailure: (reason) => failures.add(reason),
    })
    client.login(() => void opened++)
  }
  await wire.run(() => {
    while (begun < sessions && begun - opened - failures.count < width) begin()
    return opened + failures.count >= sessions || failures.count > width
  })
  return { opened, failures: failures.byReason }
}
