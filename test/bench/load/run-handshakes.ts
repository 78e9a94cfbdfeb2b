import type { Wire } from '../wire/wire.ts'
import type { HandshakesJob, HandshakesResult } from './jobs.ts'
import { Failures } from './jobs.ts'

export async function runHandshakes(
  wire: Wire,
  { target, clients, seconds }: HandshakesJob,
): Promise<HandshakesResult> {
  const failures = new Failures()
  const stopAt = performance.now() + seconds * 1000
  let [open, completed] = [0, 0]
  const begin = (): void => {
    open++
    wire.connect(target.at, {
      received: (connection) => {
        connection.close()
        completed++
        over()
      },
      ended: (_, error) => {
        failures.add(`before the greeting: ${error ?? 'closed by the other end'}`)
        over()
      },
    })
  }
  const over = (): void => {
    open--
    if (performance.now() < stopAt && failures.count <= clients) begin()
  }
  for (let i = 0; i < clients; i++) begin()
  await wire.run(() => open === 0 || performance.now() > stopAt + 5000)
  return { completed, failures: failures.byReason }
}
