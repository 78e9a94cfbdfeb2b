import type { Wire } from '../wire/wire.ts'
import { FtpClient } from './ftp-client.ts'
import type { ProbeJob, ProbeResult } from './jobs.ts'
import { Failures } from './jobs.ts'

/** Longer than any proxy needs to resolve nothing and fork once. */
const patienceMs = 4000

export async function runProbe(wire: Wire, { target, fileBytes }: ProbeJob): Promise<ProbeResult> {
  const failures = new Failures()
  const giveUpAt = performance.now() + patienceMs
  let isOver = false
  let step = 'login'
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
  const quit = (): void => {
    step = 'QUIT'
    client.quit(finish)
  }
  const upload = (): void => {
    step = 'upload'
    client.enterPassive(() => client.store(fileBytes, quit))
  }
  const download = (): void => {
    step = 'download'
    client.enterPassive(() => client.retrieve(fileBytes, upload, true))
  }
  client.login(download)
  await wire.run(() => isOver || performance.now() > giveUpAt)
  if (!isOver) client.fail(`${step} did not finish in ${patienceMs} ms`)
  return { failures: failures.byReason }
}
