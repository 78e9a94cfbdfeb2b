// A server serves once it lets a client in: one whose accounts are gone greets as it always did.

import { ReplyLines } from '../../../ftp/replies.ts'
import type { Connection } from '../../../tcp/connection.ts'
import { type Introducing, introduce } from '../../../tcp/proxy-protocol/introduce.ts'

export interface LoginPlan {
  readonly user: string
  readonly password: string
  /** Its greeting was read before. */
  readonly hasGreeted: boolean
  readonly timeoutMs: number
}

/** A server that says so much before it has let us in is none. */
const MAX_BYTES = 65_536

/**
 * Greeting, USER, PASS. Calls back once, unless it is cancelled: with the connection, or with what is wrong, in which the
 * password does not stand even if the server has said it; then the connection is closed.
 */
export function awaitLogin(
  raw: Connection,
  { user, password, hasGreeted, timeoutMs }: LoginPlan,
  done: (connection: Connection | null, problem: string) => void,
): Introducing {
  const replies = new ReplyLines()
  let readBytes = 0
  let awaits: 'greeting' | 'user' | 'pass' = 'greeting'
  const sayUser = () => {
    awaits = 'user'
    raw.write(`USER ${asOnTheWire(user)}\r\n`)
  }
  /** Null: it goes on. */
  const answer = (code: number, line: string): 'in' | { readonly problem: string } | null => {
    if (code < 200) return null
    if (awaits === 'greeting') {
      if (code >= 300) return { problem: `it greets with ${line}` }
      sayUser()
      return null
    }
    if (code < 300) return 'in'
    if (awaits === 'pass' || code !== 331) {
      const shown = line.replaceAll(asOnTheWire(password), '****')
      return { problem: `it refuses the login of ${user} with ${shown}` }
    }
    awaits = 'pass'
    raw.write(`PASS ${asOnTheWire(password)}\r\n`)
    return null
  }
  const introducing = introduce(
    raw,
    {
      timeoutMs,
      late: `no login within ${timeoutMs} ms`,
      ended: 'it closed the connection before the login was over',
      look(bytes) {
        replies.push(bytes.toString('latin1', readBytes))
        readBytes = bytes.length
        if (readBytes > MAX_BYTES) return { problem: 'it talks and talks before the login is over' }
        for (let part = replies.next(); part !== null; part = replies.next()) {
          if (part.type === 'fragment' || (part.place !== 'only' && part.place !== 'last')) continue
          const found = answer(part.code, part.text)
          if (found !== null) return found === 'in' ? { remote: raw.remote, length: readBytes } : found
        }
        const telnet = replies.takeAnswer()
        if (telnet !== '') raw.write(telnet)
        return null
      },
    },
    (connection, problem) => {
      if (connection === null) raw.destroy()
      done(connection, problem)
    },
  )
  if (hasGreeted) sayUser()
  return introducing
}

/** UTF-8, one character a byte. */
function asOnTheWire(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1')
}
