// `ftp-alg demo`: a server, the proxy and a client on loopback, and what the proxy changed between them.

import { randomBytes } from 'node:crypto'
import { Readable, Writable } from 'node:stream'
import { Client, enterPassiveModeIPv4, type FTPContext, type FTPResponse } from 'basic-ftp'
import { App } from '../app.ts'
import type { Config, UpstreamMode } from '../config/config.ts'
import { loadConfig } from '../config/load.ts'
import { enterActiveMode } from '../demo/active-mode.ts'
import { Dialogue } from '../demo/dialogue.ts'
import { startDemoServer } from '../demo/ftp-server.ts'
import { movedCounters, readSamples } from '../demo/metrics-diff.ts'
import { createObserver } from '../observe/recorder.ts'

interface Act {
  readonly title: string
  readonly upstreamMode: UpstreamMode
  /** Null: what the library does by itself, EPSV. */
  readonly prepareTransfer: ((ftp: FTPContext) => Promise<FTPResponse>) | null
}

const acts: readonly Act[] = [
  { title: 'Passive: EPSV, as modern clients do', upstreamMode: 'client', prepareTransfer: null },
  { title: 'Passive: PASV and 227', upstreamMode: 'client', prepareTransfer: enterPassiveModeIPv4 },
  { title: 'Active: PORT', upstreamMode: 'client', prepareTransfer: enterActiveMode },
  {
    title: 'Active client, passive server: PORT becomes PASV (the server never has to connect out)',
    upstreamMode: 'passive',
    prepareTransfer: enterActiveMode,
  },
  {
    title: 'Passive client, active server: PASV becomes PORT (the client never has to be reached)',
    upstreamMode: 'active',
    prepareTransfer: enterPassiveModeIPv4,
  },
]

const FILE_BYTES = 256 * 1024

/** What the proxy decided and moved; commands and replies one by one would fill the screen. */
const shownCounters =
  /_(sessions|rewrites|mode_conversions|pinholes_opened|pinholes_closed|data_connections|data_bytes)_total/

/** Gives the exit code: 0 when every transfer came through unchanged, 1 otherwise. */
export async function demo({
  version,
  stdout,
}: {
  version: string
  stdout: { write(text: string): unknown }
}): Promise<0 | 1> {
  const print = (line = '') => stdout.write(`${line}\n`)
  const dialogue = new Dialogue()
  const server = await startDemoServer({
    heard: (line) => dialogue.up('server', line),
    said: (line) => dialogue.down('server', line),
  })
  const config = demoConfig(`127.0.0.1:${server.at.port}`)
  const observer = createObserver({ config, version })
  const app = new App({ config, observer })
  try {
    const { listeners } = await app.start()
    const before = readSamples(await observer.exposition())
    print(
      `ftp-alg ${version}: an FTP server on port ${server.at.port}, the proxy before it, a client before that.`,
    )
    print(
      'Each act uploads a file and downloads it again. ≠ marks a line that the proxy changed or made itself.',
    )
    let isGood = true
    for (const act of acts) {
      const port = listeners.find(({ name }) => name === act.upstreamMode)?.at.port ?? 0
      const arrived = await perform(act, port, dialogue)
      isGood &&= arrived
      print()
      print(`── ${act.title}`)
      for (const line of dialogue.take()) print(line)
      print(`    ${FILE_BYTES} bytes up, ${FILE_BYTES} bytes down: ${arrived ? 'identical' : 'DAMAGED'}`)
    }
    print()
    print('── What Prometheus would have seen (counters that moved)')
    const moved = movedCounters(before, readSamples(await observer.exposition()))
    for (const line of moved.filter((counter) => shownCounters.test(counter))) print(`    ${line}`)
    return isGood ? 0 : 1
  } finally {
    await app.stop()
    server.stop()
    await observer.close()
  }
}

/** One upload and one download; true when what came back is what went out. */
async function perform(act: Act, port: number, dialogue: Dialogue): Promise<boolean> {
  const client = new Client(10_000)
  client.ftp.log = (message) => note(message, dialogue)
  if (act.prepareTransfer !== null) client.prepareTransfer = act.prepareTransfer
  try {
    await client.access({ host: '127.0.0.1', port, user: 'demo', password: 'demo' })
    // The login is the same in every act.
    dialogue.take()
    const sent = randomBytes(FILE_BYTES)
    await client.uploadFrom(Readable.from([sent]), 'file.bin')
    const received: Buffer[] = []
    const collect = new Writable({
      write(chunk: Buffer, _encoding, done) {
        received.push(chunk)
        done()
      },
    })
    await client.downloadTo(collect, 'file.bin')
    await client.send('QUIT')
    client.ftp.log = () => undefined
    return Buffer.concat(received).equals(sent)
  } finally {
    client.close()
  }
}

/** basic-ftp logs `> PASV` and `< 227 …`; everything else is about itself. */
function note(message: string, dialogue: Dialogue): void {
  for (const line of message.split(/\r?\n/)) {
    if (line.startsWith('> ')) dialogue.up('client', line.slice(2).replace('PASS ###', 'PASS demo'))
    else if (line.startsWith('< ')) dialogue.down('client', line.slice(2))
  }
}

/** One listener for each upstream mode, named after it, on a port the system chooses. */
function demoConfig(upstream: string): Config {
  const { config } = loadConfig({ flags: { listen: '127.0.0.1:0', upstream, admin: 'off' }, environment: {} })
  const modes: readonly UpstreamMode[] = ['client', 'passive', 'active']
  const listeners = config.listeners.flatMap((listener) =>
    modes.map((upstreamMode) => ({ ...listener, name: upstreamMode, upstreamMode })),
  )
  return { ...config, listeners, log: { level: 'error', format: 'json' } }
}
