import type { Wire } from '../wire/wire.ts'
import { FtpClient } from './ftp-client.ts'
import type { RoundTripJob, RoundTripResult } from './jobs.ts'
import { Failures } from './jobs.ts'
import { Samples } from './samples.ts'

const smallFileBytes = 1000

export async function runRoundTrip(
  wire: Wire,
  { target, noops, transfers }: RoundTripJob,
): Promise<RoundTripResult> {
  const failures = new Failures()
  const [noop, calmNoop, passive, firstByte] = [new Samples(), new Samples(), new Samples(), new Samples()]
  let isOver = false
  const client = new FtpClient(wire, {
    target: target.at,
    user: target.user,
    onFailure: (reason) => {
      failures.add(reason)
      isOver = true
    },
  })

  const finish = (): void => {
    isOver = true
  }
  const timeNoop = (samples: Samples, next: () => void): void => {
    const askedAt = performance.now()
    client.noop(() => {
      samples.add(performance.now() - askedAt)
      next()
    })
  }
  const askNoop = (left: number): void => {
    if (left === 0) transfer(transfers)
    else timeNoop(noop, () => askNoop(left - 1))
  }
  const transfer = (left: number): void => {
    if (left === 0) {
      client.quit(finish)
      return
    }
    // Untimed, so that nothing of what follows waits for the tidying up after the transfer before.
    client.noop(() =>
      // In the rhythm of the transfers: in a row of NOOPs everybody is awake and every cache is warm.
      timeNoop(calmNoop, () =>
        client.enterPassive(() =>
          client.retrieve(smallFileBytes, () => {
            const { marks } = client
            passive.add(marks.passiveGivenAt - marks.passiveAskedAt)
            firstByte.add(marks.firstByteAt - marks.transferAskedAt)
            transfer(left - 1)
          }),
        ),
      ),
    )
  }
  client.login(() => askNoop(noops))
  await wire.run(() => isOver)
  return {
    noopMs: noop.quantiles(),
    calmNoopMs: calmNoop.quantiles(),
    passiveMs: passive.quantiles(),
    firstByteMs: firstByte.quantiles(),
    failures: failures.byReason,
  }
}
