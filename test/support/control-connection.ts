// A client that speaks FTP line by line, from wherever it is put: what no real client can be made to say.

import { type Place, startProgram, thisMachine } from './programs.ts'
import { account } from './servers/server.ts'

export interface ControlConnection {
  /** Sends a line and resolves with the last line of the reply to it. */
  ask(line: string): Promise<string>
  /** USER and PASS. */
  login(): Promise<void>
  /** Resolves when the other side has closed. */
  closed(): Promise<void>
  /** Drops the connection. */
  close(): Promise<void>
}

/** Connects, and resolves with the last line of the greeting read. */
export async function openControlConnection(
  to: { readonly address: string; readonly port: number },
  place: Place = thisMachine,
): Promise<ControlConnection> {
  const script = new URL('control-connection.py', import.meta.url).pathname
  const program = startProgram(['/usr/bin/python3', script, to.address, String(to.port)], { place })
  let seen = 0
  const nextReply = async () => {
    let end = -1
    await program.waitForOutput(
      (output) => {
        end = endOfReply(output, seen)
        return end >= 0
      },
      { what: 'a reply' },
    )
    const reply = program.output().slice(seen, end)
    seen = end
    return reply.trimEnd().split('\r\n').at(-1) ?? ''
  }
  const ask = (line: string) => {
    program.write(`${line}\r\n`)
    return nextReply()
  }
  await nextReply()
  return {
    ask,
    login: async () => {
      await ask(`USER ${account.user}`)
      const answer = await ask(`PASS ${account.password}`)
      if (!answer.startsWith('230')) throw new Error(`no login: ${answer}`)
    },
    closed: async () => {
      await program.exited
    },
    close: () => program.kill(),
  }
}

/** `'227 Entering Passive Mode (10,77,1,1,117,48).'` gives `{ address: '10.77.1.1', port: 30000 }`. */
export function endpointOf227(reply: string): { readonly address: string; readonly port: number } {
  const numbers = /\((\d+),(\d+),(\d+),(\d+),(\d+),(\d+)\)/.exec(reply)?.slice(1).map(Number) ?? []
  const [, , , , high, low] = numbers
  if (!reply.startsWith('227 ') || high === undefined || low === undefined) {
    throw new Error(`no endpoint in ${reply}`)
  }
  return { address: numbers.slice(0, 4).join('.'), port: high * 256 + low }
}

/** Where the first whole reply after `from` ends, or -1: `ddd ` begins its last line. */
function endOfReply(output: string, from: number): number {
  const match = /^\d{3} .*\r\n/m.exec(output.slice(from))
  return match === null ? -1 : from + match.index + match[0].length
}
