// `ftp-alg doctor --try`: a client on this machine transfers through the proxy that runs, each way that clients know, and
// says at which step it ended.

import { randomBytes } from 'node:crypto'
import { Readable, Writable } from 'node:stream'
import {
  Client,
  enterPassiveModeIPv4,
  enterPassiveModeIPv6,
  type FTPContext,
  FTPError,
  type FTPResponse,
} from 'basic-ftp'
import type { Config, ListenerConfig } from '../../config/config.ts'
import { enterActiveMode, enterExtendedActiveMode } from '../../demo/active-mode.ts'
import { type Finding, fail, ok, warn } from './finding.ts'

export interface Credentials {
  readonly user: string
  readonly password: string
}

/** Each takes as many seconds at most. */
const STEP_MS = 10_000
const FILE_BYTES = 100_000

const ways: Readonly<Record<string, (ftp: FTPContext) => Promise<FTPResponse>>> = {
  EPSV: enterPassiveModeIPv6,
  PASV: enterPassiveModeIPv4,
  EPRT: enterExtendedActiveMode,
  PORT: enterActiveMode,
}

/** Where the server is talked to directly it cannot call an address of loopback. */
const passiveWays = ['EPSV', 'PASV']

const beforeTransfers = ['the connection', 'TLS', 'the login']

/** The commands of RFC 959 have no room for an address of IPv6. */
const onlyIpv4 = ['PASV', 'PORT']

export async function tryTransfers(config: Config, credentials: Credentials): Promise<readonly Finding[]> {
  const findings: Finding[] = []
  for (const listener of config.listeners) {
    const check = `try ${listener.name}`
    if (listener.intercept !== 'none') {
      findings.push(
        warn(check, 'it intercepts, and nothing from this machine goes there', 'try from a client’s machine'),
      )
      continue
    }
    const host = hostOf(listener)
    for (const verb of listener.passthrough === undefined ? Object.keys(ways) : passiveWays) {
      if (host.includes(':') && onlyIpv4.includes(verb)) continue
      const { finding, isOver } = await tryOne(`${check} by ${verb}`, { listener, host, verb, credentials })
      findings.push(finding)
      if (isOver) break
    }
  }
  return findings
}

interface Attempt {
  readonly listener: ListenerConfig
  readonly host: string
  readonly verb: string
  readonly credentials: Credentials
}

interface Tried {
  readonly finding: Finding
  /** It would end there by any other way too: a server may ban who mistypes a password again and again. */
  readonly isOver: boolean
}

async function tryOne(check: string, { listener, host, verb, credentials }: Attempt): Promise<Tried> {
  const client = new Client(STEP_MS)
  let step = 'the connection'
  client.prepareTransfer = async (ftp) => {
    const doing = step
    step = `${verb} for ${doing}`
    const answer = await (ways[verb] ?? enterPassiveModeIPv4)(ftp)
    step = doing
    return answer
  }
  const mode = listener.tls?.mode ?? listener.passthrough ?? 'off'
  const { port } = listener.listen
  // Not who the proxy is, but whether it works, is asked here.
  const unverified = { rejectUnauthorized: false }
  try {
    if (mode === 'implicit') await client.connectImplicitTLS(host, port, unverified)
    else await client.connect(host, port)
    step = 'TLS'
    if (mode !== 'off' && mode !== 'implicit') await client.useTLS(unverified)
    step = 'the login'
    await client.login(credentials.user, credentials.password)
    await client.useDefaultSettings()
    step = 'the listing'
    const entries = await client.list()
    step = 'the upload'
    const loop = await upAndDown(client, (next) => {
      step = next
    })
    return { finding: ok(check, `${entries.length} entries listed; ${loop}`), isOver: false }
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error)
    const finding = fail(check, `ended at ${step}: ${said}`, cureFor(step, listener))
    return { finding, isOver: beforeTransfers.includes(step) }
  } finally {
    client.close()
  }
}

/** A file of our own, there and back; a server that takes none is no fault of anybody. */
async function upAndDown(client: Client, begins: (step: string) => void): Promise<string> {
  const name = `ftp-alg-doctor-${randomBytes(4).toString('hex')}.tmp`
  const sent = randomBytes(FILE_BYTES)
  try {
    await client.uploadFrom(Readable.from([sent]), name)
  } catch (error) {
    if (error instanceof FTPError && [532, 550, 551, 552, 553].includes(error.code)) {
      return `uploads are refused (${error.message})`
    }
    throw error
  }
  begins('the download')
  const received: Buffer[] = []
  const collect = new Writable({
    write(chunk: Buffer, _encoding, done) {
      received.push(chunk)
      done()
    },
  })
  try {
    await client.downloadTo(collect, name)
  } finally {
    await client.remove(name, true).catch(() => undefined)
  }
  if (!Buffer.concat(received).equals(sent)) throw new Error('the file came back changed')
  return `${FILE_BYTES} bytes up and down again`
}

function hostOf({ listen: { address } }: ListenerConfig): string {
  if (address === '0.0.0.0') return '127.0.0.1'
  return address === '::' ? '::1' : address
}

function cureFor(step: string, { name, passthrough }: ListenerConfig): string {
  if (step === 'the connection') return `start ftp-alg; lines about the port of ${name} above say what else`
  if (step === 'the login') return '--user, and the password in FTP_ALG_TRY_PASSWORD'
  if (passthrough !== undefined && step !== 'TLS') {
    return 'TLS passes through: data connections go to the address and port that the server names, which must be reached from here'
  }
  return 'the lines of this session in the log (event pinhole.refuse, data.fail or command.deny) say why'
}
