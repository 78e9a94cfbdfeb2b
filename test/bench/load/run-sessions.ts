import type { Wire } from '../wire/wire.ts'
import { FtpClient } from './ftp-client.ts'
import type { SessionsJob, SessionsResult } from './jobs.ts'
import { Failures } from './jobs.ts'
import { Samples } from './samples.ts'

/** Sessions still open this long after the last second are given up and counted as failures. */
const patienceMs = 5000

/** So many failures without a single success mean that nothing is to be learned. */
const hopeless = 50

export async function runSessions(wire: Wire, job: SessionsJob): Promise<SessionsResult> {
  const { target, clients, seconds, fileBytes, perSecond } = job
  const failures = new Failures()
  const [session, passive, firstByte] = [new Samples(), new Samples(), new Samples()]
  const startedAt = performance.now()
  const stopAt = startedAt + seconds * 1000
  const open = new Set<FtpClient>()
  let [inTime, completed, begun] = [0, 0, 0]

  const mayBegin = (now: number): boolean => {
    if (now >= stopAt || (completed === 0 && failures.count >= hopeless)) return false
    return perSecond === 0 || begun < ((now - startedAt) / 1000) * perSecond
  }
  const begin = (): void => {
    const begunAt = performance.now()
    begun++
    const over = (): void => {
      open.delete(client)
      if (mayBegin(performance.now())) begin()
    }
    const onFailure = (reason: string): void => {
      failures.add(reason)
      over()
    }
    const client = new FtpClient(wire, { target: target.at, user: target.user, onFailure })
    open.add(client)
    const transfer = (): void => client.retrieve(fileBytes, () => client.quit(finish))
    const finish = (): void => {
      const now = performance.now()
      completed++
      if (now <= stopAt) inTime++
      session.add(now - begunAt)
      passive.add(client.marks.passiveGivenAt - client.marks.passiveAskedAt)
      firstByte.add(client.marks.firstByteAt - client.marks.transferAskedAt)
      over()
    }
    client.login(() => client.enterPassive(transfer))
  }

  await wire.run(() => {
    const now = performance.now()
    while (open.size < clients && mayBegin(now)) begin()
    return (
      (open.size === 0 && !mayBegin(now) && (perSecond === 0 || now >= stopAt)) || now > stopAt + patienceMs
    )
  })
  for (const client of open) client.fail('still open five seconds after the end')
  return {
    inTime,
    completed,
    seconds,
    failures: failures.byReason,
    sessionMs: session.quantiles(),
    passiveMs: passive.quantiles(),
    firstByteMs: firstByte.quantiles(),
  }
}
