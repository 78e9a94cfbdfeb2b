import type { Wire } from '../wire/wire.ts'
import { FtpClient } from './ftp-client.ts'
import type { BulkJob, BulkResult } from './jobs.ts'
import { Failures } from './jobs.ts'

export async function runBulk(
  wire: Wire,
  { target, direction, streams, bytes }: BulkJob,
): Promise<BulkResult> {
  const failures = new Failures()
  const clients: FtpClient[] = []
  let [ready, finished] = [0, 0]

  for (let i = 0; i < streams; i++) {
    const client = new FtpClient(wire, {
      target: target.at,
      user: target.user,
      onFailure: (reason) => failures.add(reason),
    })
    clients.push(client)
    client.login(() => client.enterPassive(() => void ready++))
  }
  await wire.run(() => ready + failures.count >= streams)
  if (failures.count > 0) return { bytes: 0, seconds: 0, failures: failures.byReason }

  const startedAt = performance.now()
  const finish = (): void => void finished++
  for (const client of clients) {
    if (direction === 'down') client.retrieve(bytes, finish)
    else client.store(bytes, finish)
  }
  await wire.run(() => finished + failures.count >= streams)
  const seconds = (performance.now() - startedAt) / 1000

  let left = clients.length
  for (const client of clients) client.quit(() => void left--)
  await wire.run(() => left <= 0 || failures.count > 0)
  return { bytes: bytes * finished, seconds, failures: failures.byReason }
}
