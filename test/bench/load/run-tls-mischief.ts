// The same for FTPS: visitors that break handshakes off, drag them out, come to data ports of others, cut files off without
// close_notify, and misuse what TLS has. A stranger that gets a byte of a file is a failure of the system.

import { once } from 'node:events'
import { cutHandshake } from '../../support/peers/cut-short.ts'
import type { MischiefJob, MischiefResult } from './jobs.ts'
import { Failures } from './jobs.ts'
import { TlsVisit } from './tls-visit.ts'

/** Longer than any answer takes; whoever is still there then is reset. */
const patienceMs = 6000
/** A client's first flight and its second, and what a server says to them. */
const flightBytes = { sent: 420, received: 1100 }

export async function runTlsMischief({ target, seconds, perSecond }: MischiefJob): Promise<MischiefResult> {
  const visits: Promise<void>[] = []
  const failures = new Failures()
  const total = Math.floor(seconds * perSecond)
  for (let i = 0; i < total; i++) {
    const visitor = visitors[i % visitors.length]
    if (visitor !== undefined) visits.push(play(new TlsVisit(target), visitor, failures))
    await pause(1000 / perSecond)
  }
  await Promise.all(visits)
  return { visits: total, failures: failures.byReason }
}

async function play(visit: TlsVisit, visitor: Visitor, failures: Failures): Promise<void> {
  const isOver = visitor(visit, failures).catch(() => undefined)
  await Promise.race([isOver, pause(patienceMs)])
  visit.reset()
}

type Visitor = (visit: TlsVisit, failures: Failures) => Promise<void>

const visitors: readonly Visitor[] = [
  // A handshake that ends anywhere, on either listener.
  (visit) => cutAnywhere(visit, 'implicit'),
  (visit) => cutAnywhere(visit, 'explicit'),
  // No hello at all, and the beginning of one of 16 MB.
  async (visit) => {
    const raw = await visit.open(visit.portOf('implicit'))
    const record = Buffer.concat([
      Buffer.from([22, 3, 1, 0x40, 0, 1, 0xff, 0xff, 0xff]),
      Buffer.alloc(0x3ffc),
    ])
    raw.write(Buffer.concat([record, record]))
    await once(raw, 'close')
  },
  async (visit) => {
    const raw = await visit.open(visit.portOf('implicit'))
    raw.write('USER anonymous\r\nGET / HTTP/1.1\r\n\r\n')
    await once(raw, 'close')
  },
  // Commands in records of one byte.
  async (visit) => {
    await visit.begin()
    for (const character of `USER ${visit.target.user}\r\n`) visit.say(character)
    await visit.reply()
    await visit.ask('QUIT')
  },
  // TLS 1.2 and a renegotiation.
  async (visit) => {
    await visit.login('implicit', { maxVersion: 'TLSv1.2' })
    visit.renegotiate()
    await visit.ask('NOOP')
  },
  // What the control channel knows of TLS, in any order.
  async (visit) => {
    await visit.login('explicit')
    for (const line of ['AUTH TLS', 'PROT S', 'PROT X', 'REIN', 'ADAT x', 'PBSZ x', 'PROT P'])
      await visit.ask(line)
    await visit.ask('QUIT')
  },
  async (visit) => {
    await visit.login('explicit')
    await visit.ask('CCC')
    visit.goOnInClear()
    await pause(50)
    await visit.ask('NOOP')
    await visit.ask('EPSV')
  },
  // Strangers: without a session, and with one of another control connection.
  (visit, failures) => steal(visit, null, failures),
  async (visit, failures) => {
    const other = new TlsVisit(visit.target)
    try {
      await other.login()
      await steal(visit, other.session, failures)
    } finally {
      other.reset()
    }
  },
  // TLS that never begins on a data connection, and one that is broken off.
  async (visit) => {
    await visit.login()
    await visit.open(await visit.dataPort())
    await visit.ask('RETR 100000.bin')
    await pause(patienceMs)
  },
  async (visit) => {
    await visit.login()
    const port = await visit.dataPort()
    visit.say('RETR 100000.bin\r\n')
    await cutHandshake(port, anyCut(), { address: visit.target.at.address, isImplicit: true })
    await pause(50)
  },
  // A download that ends at its beginning: data reset, control reset, and ABOR.
  async (visit) => {
    const { raw } = await begun(visit, 'RETR 50000000.bin')
    raw.resetAndDestroy()
    await visit.ask('NOOP')
  },
  async (visit) => {
    await begun(visit, 'RETR 50000000.bin')
    visit.reset()
  },
  async (visit) => {
    await begun(visit, 'RETR 50000000.bin')
    await visit.ask('ABOR')
    await visit.ask('QUIT')
  },
  // An upload that ends without close_notify.
  async (visit) => {
    const { raw, secure } = await begun(visit, 'STOR 1000000.bin')
    secure.write(Buffer.alloc(300_000))
    await pause(50)
    raw.end()
    await pause(200)
  },
  // A whole session after all that.
  async (visit, failures) => {
    const { secure } = await begun(visit, 'RETR 100000.bin')
    let byteCount = 0
    secure.on('data', (bytes: Buffer) => {
      byteCount += bytes.length
    })
    await once(secure, 'end')
    if (byteCount !== 100_000) failures.add(`a whole download had ${byteCount} bytes`)
    await visit.ask('QUIT')
  },
]

function anyCut() {
  const of = Math.random() < 0.5 ? 'sent' : 'received'
  const after = Math.floor(Math.random() * flightBytes[of])
  return { of, after, by: Math.random() < 0.5 ? 'fin' : 'reset' } as const
}

function cutAnywhere(visit: TlsVisit, how: 'implicit' | 'explicit'): Promise<void> {
  const place = { address: visit.target.at.address, isImplicit: how === 'implicit' }
  return cutHandshake(visit.portOf(how), anyCut(), place)
}

async function begun(visit: TlsVisit, command: string) {
  await visit.login()
  const port = await visit.dataPort()
  visit.say(`${command}\r\n`)
  const data = await visit.openData(port)
  await once(data.secure, 'secureConnect')
  return data
}

async function steal(visit: TlsVisit, session: Buffer | null, failures: Failures): Promise<void> {
  await visit.login()
  const port = await visit.dataPort()
  visit.say('RETR 100000.bin\r\n')
  const { secure } = await visit.openData(port, session)
  secure.on('data', () => failures.add('a stranger got bytes of a file'))
  await once(secure, 'close')
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}
