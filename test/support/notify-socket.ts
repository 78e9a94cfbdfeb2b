// A real $NOTIFY_SOCKET, received by a short Python program: Node cannot open Unix datagram sockets.

import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startProgram } from './programs.ts'

export interface NotifySocket {
  /** For $NOTIFY_SOCKET. */
  readonly path: string
  /** What arrived so far, one text a datagram; the empty ones of systemd-notify's barrier are left out. */
  messages(): readonly string[]
  /** Resolves once the messages are as wanted. */
  waitFor(wanted: (messages: readonly string[]) => boolean, what: string): Promise<void>
  close(): Promise<void>
}

const python = '/usr/bin/python3'

/** Why no such socket can be made here, or null. */
export function notifySocketMissing(): string | null {
  if (process.platform !== 'linux') return `it needs Linux, this is ${process.platform}`
  return existsSync(python) ? null : `it needs ${python}`
}

export async function openNotifySocket(kind: 'path' | 'abstract' = 'path'): Promise<NotifySocket> {
  const folder = await mkdtemp(join(tmpdir(), 'ftp-alg-notify-'))
  const path = kind === 'path' ? join(folder, 'notify') : `@ftp-alg-test-${process.pid}-${folder.slice(-6)}`
  const program = startProgram([python, new URL('datagram-receiver.py', import.meta.url).pathname, path])
  await program.waitForOutput(/"bound"\n/)
  const messages = () =>
    program
      .output()
      .split('\n')
      .slice(1, -1)
      .map((line): string => JSON.parse(line))
      .filter((message) => message !== 'BARRIER=1')
  return {
    path,
    messages,
    waitFor: (wanted, what) => program.waitForOutput(() => wanted(messages()), { what }),
    close: async () => {
      await program.kill()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
