// Compares what both peers saw of one transfer. What it finds wrong would never be seen without a proxy between them.

import { isHarmless } from './plan.ts'
import type { PeerView, TransferRun } from './session-run.ts'

/** What is wrong, as a sentence; null when nothing is. */
export function judge(run: TransferRun): string | null {
  const { plan, client, server } = run
  const [sender, receiver] = plan.isUpload ? [client, server] : [server, client]
  if (client.problem !== null) return `the client: ${client.problem}`
  if (server.problem !== null) return `the server: ${server.problem}`
  if (receiver.data?.isIntact === false) return `what came are not the bytes that were sent`
  return (isTold(run) ? null : endingFault(sender, receiver)) ?? successFault(run) ?? harmFault(run)
}

/** Both agree that the whole file was transferred. */
export function isWhole({ plan, client, server, bytes }: TransferRun): boolean {
  const [sender, receiver] = plan.isUpload ? [client, server] : [server, client]
  const isAll = plan.fault.kind === 'truncate' || receiver.data?.received === bytes.length
  return (
    isSuccess(client.code) &&
    isSuccess(server.code) &&
    receiver.data?.ending === 'fin' &&
    sender.data?.own === 'fin' &&
    isAll
  )
}

/** A client that was told of a failure takes nothing for a file; a server has nothing but the end of the data to go by. */
function isTold({ plan, client }: TransferRun): boolean {
  return !plan.isUpload && client.code !== null && client.code >= 400
}

/** An end is an end: nobody sees FIN of somebody who did not finish, or finished later. */
function endingFault(sender: PeerView, receiver: PeerView): string | null {
  if (receiver.data?.ending !== 'fin') return null
  const { received } = receiver.data
  if (sender.data === null) {
    return `the receiver saw a proper end behind ${received} bytes, and the sender never had a connection`
  }
  const { own, sent } = sender.data
  if (own !== 'fin')
    return `the sender ended by ${own}, and the receiver saw a proper end behind ${received} bytes`
  return received === sent
    ? null
    : `the sender finished behind ${sent} bytes, the receiver saw the end behind ${received}`
}

/** A client that was told of success either has seen its data connection fail, or the file is where it belongs. */
function successFault({ plan, client, server }: TransferRun): string | null {
  if (!isSuccess(client.code)) return null
  const { data } = client
  if (data === null) {
    // Who aborts before it has opened one does not wait for a file, and a server that lies has cut it before we looked.
    return plan.fault.kind === 'abort' || plan.fault.kind === 'liar'
      ? null
      : `the client was told ${client.code} and never had a data connection`
  }
  if (plan.isUpload ? data.own !== 'fin' || data.ending === 'reset' : data.ending !== 'fin') return null
  if (!isSuccess(server.code)) return `the client was told ${client.code}, and the server said ${server.code}`
  if (plan.isUpload && server.data?.ending !== 'fin') {
    return `the client was told ${client.code}, and the server saw the data end by ${server.data?.ending}`
  }
  return null
}

/** What does no harm without a proxy does none through it. */
function harmFault(run: TransferRun): string | null {
  if (!isHarmless(run.plan) || isWhole(run)) return null
  return 'nothing was in the way of the file'
}

function isSuccess(code: number | null): boolean {
  return code !== null && code >= 200 && code < 300
}
