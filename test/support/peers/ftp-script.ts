// A plain, well-behaved FTP server as a script; a test replaces the verbs at which its server misbehaves.
//
// A file's name is its size: `RETR 65537` sends 65,537 bytes of `payload(65537)`.

import { payload } from './payload.ts'
import type { ReceivedCommand, Script, Visit } from './scripted-server.ts'
import type { Collected } from './wire.ts'

export type Verb = (visit: Visit, command: ReceivedCommand) => Promise<void> | void

export interface FtpScriptOptions {
  readonly greeting?: string
  /** By upper-case verb; what is not here is answered as an ordinary server would. */
  readonly verbs?: Readonly<Record<string, Verb>>
  /** What STOR received, by name. */
  readonly uploads?: Map<string, Collected>
}

export function ftpScript(options: FtpScriptOptions = {}): Script {
  const { greeting = '220 Scripted server ready.', verbs = {} } = options
  const uploads = options.uploads ?? new Map<string, Collected>()
  const known: Readonly<Record<string, Verb>> = { ...ordinary(uploads), ...verbs }
  return async (visit) => {
    if (greeting !== '') visit.reply(greeting)
    for (;;) {
      const command = await visit.nextCommand()
      if (command === null) break
      const verb = Object.hasOwn(known, command.verb) ? known[command.verb] : undefined
      if (verb === undefined) visit.reply('500 Unknown command.')
      else await verb(visit, command)
    }
    // Data connections end by themselves, or with the test.
    visit.closeDoor()
    visit.wire.close()
  }
}

/** Every visit gets the next script; the last one stays. */
export function inTurn(...scripts: readonly [Script, ...Script[]]): Script {
  let visits = 0
  return (visit) => {
    const script = scripts[Math.min(visits, scripts.length - 1)] ?? scripts[0]
    visits += 1
    return script(visit)
  }
}

/** Sends bytes as a transfer: 150, the bytes, FIN, 226 once the other end has finished too. */
export async function sendFile(visit: Visit, bytes: Uint8Array): Promise<void> {
  visit.reply('150 Here it comes.')
  const data = await visit.data()
  const rest = data.collect()
  if (bytes.length > 0) await data.send(bytes)
  data.halfClose()
  await rest
  visit.reply('226 Transfer complete.')
}

function ordinary(uploads: Map<string, Collected>): Record<string, Verb> {
  const says = (line: string) => (visit: Visit) => visit.reply(line)
  return {
    USER: says('331 Password, please.'),
    PASS: says('230 Logged in.'),
    ACCT: says('202 No account needed.'),
    TYPE: says('200 Type set.'),
    MODE: says('200 Mode set.'),
    NOOP: says('200 Nothing done.'),
    SYST: says('215 UNIX Type: L8'),
    PWD: says('257 "/" is the current directory.'),
    CWD: says('250 Changed.'),
    SIZE: (visit, { argument }) => visit.reply(`213 ${argument}`),
    REIN: says('220 Service ready for a new user.'),
    ABOR: says('226 Nothing to abort.'),
    STAT: says('211 All is well.'),
    FEAT: says('211-Features:\r\n SIZE\r\n EPSV\r\n211 End'),
    QUIT: (visit) => {
      visit.reply('221 Goodbye.')
      visit.wire.halfClose()
    },
    PASV: async (visit) => {
      const port = await visit.listen()
      const host = visit.at.address.replaceAll('.', ',')
      visit.reply(`227 Entering Passive Mode (${host},${port >> 8},${port & 255}).`)
    },
    EPSV: async (visit, { argument }) => {
      if (argument.toUpperCase() === 'ALL') {
        visit.reply('200 EPSV ALL command successful.')
        return
      }
      const port = await visit.listen()
      visit.reply(`229 Entering Extended Passive Mode (|||${port}|)`)
    },
    PORT: (visit, { argument }) => {
      const [a, b, c, d, high = 0, low = 0] = argument.split(',').map(Number)
      visit.target({ address: `${a}.${b}.${c}.${d}`, port: high * 256 + low })
      visit.reply('200 PORT command successful.')
    },
    EPRT: (visit, { argument }) => {
      const [, , address = '', port] = argument.split(argument[0] ?? '|')
      visit.target({ address, port: Number(port) })
      visit.reply('200 EPRT command successful.')
    },
    RETR: (visit, { argument }) => sendFile(visit, payload(Number(argument))),
    LIST: (visit) => sendFile(visit, Buffer.from('-rw-r--r-- 1 ftp ftp 1 Jan 1 00:00 1\r\n')),
    STOR: async (visit, { argument }) => {
      visit.reply('150 Send it.')
      const data = await visit.data()
      const collected = await data.collect()
      uploads.set(argument, collected)
      data.halfClose()
      visit.reply(collected.ending === 'fin' ? '226 Stored.' : '426 Connection lost.')
    },
  }
}
