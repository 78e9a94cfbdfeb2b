// The nftables backend as an administrator meets it: behind a firewall that drops, beside `nft flush ruleset`,
// killed in the middle, restarted.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { createHash, randomBytes, randomInt } from 'node:crypto'
import { existsSync } from 'node:fs'
import type { Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Endpoint } from '../../../src/ftp/endpoints.ts'
import type { OpenPinhole, PinholeHandle, PinholeRequest } from '../../../src/pinhole/backend.ts'
import type { NftablesBackend } from '../../../src/pinhole/nftables/backend.ts'
import { createNftablesBackend, type NftablesBackendOptions } from '../../../src/pinhole/nftables/create.ts'
import { PortPool } from '../../../src/pinhole/port-pool.ts'
import { RelayBackend } from '../../../src/pinhole/relay/relay-backend.ts'
import { Lab, whyNoNamespaces } from '../../support/kernel-netns.ts'

const obstacle = whyNoNamespaces()
if (obstacle !== null) console.log(`nftables on a gateway: skipped, ${obstacle}`)

const dropping = (acceptance: string) => `
flush ruleset
table inet filter {
  set ftp_data { type ipv4_addr . ipv4_addr . inet_service; flags timeout; }
  set endless { type ipv4_addr . ipv4_addr . inet_service; }
  chain input {
    type filter hook input priority filter; policy drop;
    iifname lo accept
    ct state established accept
    ${acceptance}
  }
  chain forward {
    type filter hook forward priority filter; policy drop;
    ct state established accept
    ${acceptance}
  }
}
`
const byMark = 'ct mark 0xf7 accept'
const bySet = 'ip saddr . ip daddr . tcp dport @ftp_data accept'
const ftpData = { family: 'inet', table: 'filter', set: 'ftp_data' } as const

describe.skipIf(obstacle !== null)('nftables pinholes on a gateway', () => {
  let lab: Lab
  let echo: Endpoint
  let backend: NftablesBackend | null = null
  let children: ChildProcess[] = []
  const log: { level: string; event: string; message: string }[] = []

  beforeAll(async () => {
    lab = await Lab.create()
    echo = (await lab.listen('server', { address: lab.address('server'), port: 0 }, echoing)).at
  })
  afterAll(() => lab.close())
  beforeEach(() => {
    log.length = 0
    lab.nft(dropping(byMark))
  })
  afterEach(async () => {
    await backend?.stop()
    backend = null
    for (const child of children) child.kill('SIGKILL')
    children = []
  })

  async function start(options: Partial<NftablesBackendOptions> = {}): Promise<NftablesBackend> {
    const pool = new PortPool({
      first: 30_000,
      last: 30_999,
      quarantineMs: 0,
      share: 1000,
      random: (below) => randomInt(below),
    })
    const pools = { client: pool, server: pool }
    const now = () => performance.now()
    const relay = new RelayBackend({ pools, intruded: () => undefined, now })
    const note: NftablesBackendOptions['log'] = (level, event, message) =>
      void log.push({ level, event, message })
    backend = await createNftablesBackend({ relay, pools, now, log: note, ...options })
    return backend
  }

  function request(changes: Partial<PinholeRequest> = {}): PinholeRequest {
    return {
      owner: 'k3v9x0q2m1',
      from: 'client',
      expect: lab.address('client'),
      client: lab.address('client'),
      local: lab.gatewayTowards('client'),
      target: echo,
      source: lab.gatewayTowards('server'),
      timeoutMs: 20_000,
      ...changes,
    }
  }

  function open(by: NftablesBackend, changes: Partial<PinholeRequest> = {}) {
    const events: string[] = []
    const opened = new Promise<OpenPinhole & { handle: PinholeHandle; events: string[] }>(
      (resolve, reject) => {
        const handle = by.open(
          request(changes),
          {
            connected(socket) {
              events.push('connected')
              echoing(socket)
            },
            forwarded: () => void events.push('forwarded'),
            forwardEnded: (totals) => void events.push(totals === null ? 'ended uncounted' : 'ended'),
            expired: () => void events.push('expired'),
          },
          (error, pinhole) => {
            if (pinhole === null) reject(error)
            else queueMicrotask(() => resolve({ ...pinhole, handle, events }))
          },
        )
      },
    )
    return opened
  }

  const table = (name = 'ip ftp_alg') =>
    execFileSync('nft', ['list', 'table', ...name.split(' ')], { encoding: 'utf8' })
  const hasElements = (name?: string) => /elements/.test(table(name))

  it('need nothing of a dropping firewall but one line about the mark', async () => {
    const forwarded = await open(await start())
    expect(await saysAndHears(lab.connect('client', forwarded.at), 'in the kernel')).toBe(true)
    expect(forwarded.inKernel).toBe(true)
    const relayed = await open(await start(), { target: null, source: null })
    expect(await saysAndHears(lab.connect('client', relayed.at), 'through us')).toBe(true)
    expect(relayed.inKernel).toBe(false)
  })

  it('say so when that line is missing', async () => {
    lab.nft(dropping(''))
    const running = await start()
    const forwarded = await open(running, { timeoutMs: 500 })
    const relayed = await open(running, { timeoutMs: 500, target: null, source: null })
    const visitors = [forwarded, relayed].map(({ at }) =>
      lab.connect('client', at).on('error', () => undefined),
    )
    for (const hole of [forwarded, relayed])
      await expect.poll(() => hole.events, { timeout: 5000 }).toEqual(['expired'])
    await expect.poll(() => log.map(({ event }) => event)).toEqual(['pinhole.swallow', 'pinhole.swallow'])
    const dropped = (chain: string) =>
      expect.stringMatching(
        `came through the pinhole at 10.71.1.1 port [0-9]+, but the ${chain} chain of the firewall dropped it`,
      )
    const words = log.map(({ message }) => message)
    expect(words).toEqual(expect.arrayContaining([dropped('forward'), dropped('input')]))
    for (const visitor of visitors) visitor.destroy()
  })

  it('tell the administrator’s own set who is let through, and take it back', async () => {
    lab.nft(dropping(bySet))
    const running = await start({ theirs: { ip: ftpData, ip6: null } })
    const forwarded = await open(running)
    const relayed = await open(running, { target: null, source: null })
    const expected = [
      `${echo.address} . ${echo.port}`,
      `${lab.gatewayTowards('client')} . ${relayed.at.port}`,
    ]
    for (const to of expected)
      expect(table('inet filter')).toContain(`${lab.address('client')} . ${to} timeout`)
    expect(await saysAndHears(lab.connect('client', forwarded.at), 'forwarded')).toBe(true)
    expect(await saysAndHears(lab.connect('client', relayed.at), 'relayed')).toBe(true)
    const unused = await open(running)
    unused.handle.close()
    await expect.poll(() => hasElements('inet filter')).toBe(false)
  })

  it.each([
    [{ ...ftpData, set: 'none' }, /set inet filter none: there is no such set, allowed \{ type ipv4_addr/],
    [{ ...ftpData, set: 'endless' }, /set inet filter endless: given type .* flags undefined, allowed \{/],
  ])('refuse a set that cannot hold them (%j)', async (ip, words) => {
    await expect(start({ theirs: { ip, ip6: null } })).rejects.toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringMatching(words) }),
    )
  })

  it('carry the session’s name while they wait, and leave nothing behind', async () => {
    const running = await start()
    const hole = await open(running)
    const key = `${lab.address('client')} . ${lab.gatewayTowards('client')} . ${hole.at.port}`
    expect(table()).toContain(`${key} timeout 21s expires`)
    expect(table()).toMatch(/comment "k3v9x0q2m1" : 10\.72\.1\.2 \. \d+/)
    await open(running)
    await open(running, { target: null, source: null })
    await running.closeAll()
    expect(hasElements()).toBe(false)
    expect(await saysAndHears(lab.connect('client', (await open(running)).at), 'again')).toBe(true)
    await expect.poll(() => hasElements()).toBe(false)
  })

  it('fail with 425 and leave the others alone when the kernel refuses', async () => {
    const running = await start({ theirs: { ip: ftpData, ip6: null } })
    const before = await open(running)
    lab.nft('flush chain inet filter input\nflush chain inet filter forward\ndelete set inet filter ftp_data')
    lab.nft('add rule inet filter forward accept\nadd rule inet filter input accept')
    await expect(open(running)).rejects.toThrow(
      expect.objectContaining({
        code: 'PINHOLE_FAILED',
        message: 'nft add element inet filter ftp_data failed: ENOENT, no such file or directory',
      }),
    )
    expect(await saysAndHears(lab.connect('client', before.at), 'still open')).toBe(true)
    lab.nft('add set inet filter ftp_data { type ipv4_addr . ipv4_addr . inet_service; flags timeout; }')
    const after = await open(running)
    expect(await saysAndHears(lab.connect('client', after.at), 'open again')).toBe(true)
  })

  it('come back after somebody flushed the whole rule set', async () => {
    const running = await start()
    const early = await open(running)
    lab.nft(dropping(byMark))
    const late = await open(running)
    expect(log).toEqual([
      {
        level: 'warn',
        event: 'tables.lose',
        message: 'somebody removed our nftables tables: put back with 1 pinholes',
      },
    ])
    for (const hole of [early, late]) {
      expect(await saysAndHears(lab.connect('client', hole.at), 'hello')).toBe(true)
    }
  })

  it('are relayed where the kernel cannot: for us ourselves, and between address families', async () => {
    const running = await start()
    const toUs = await open(running, { target: { address: lab.gatewayTowards('server'), port: 5001 } })
    expect(toUs.inKernel).toBe(false)
    const fromUs = await open(running, {
      expect: lab.gatewayTowards('client'),
      client: lab.gatewayTowards('client'),
    })
    expect(fromUs.inKernel).toBe(false)
    const acrossFamilies = await open(running, {
      expect: lab.address('client', 6),
      client: lab.address('client', 6),
      local: lab.gatewayTowards('client', 6),
      source: null,
    })
    expect(acrossFamilies.inKernel).toBe(false)
    lab.nft('insert rule inet filter input icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept')
    expect(await saysAndHears(lab.connect('client', acrossFamilies.at), 'hello')).toBe(true)
  })

  it('report a connection that its target refused, and one that was reset', async () => {
    const running = await start()
    const refused = await open(running, { target: { ...echo, port: 9 } })
    expect(await saysAndHears(lab.connect('client', refused.at), 'hello?')).toBe(false)
    await expect.poll(() => refused.events).toEqual(['forwarded', 'ended'])
    const reset = await open(running)
    const socket = lab.connect('client', reset.at)
    expect(await saysAndHears(socket, 'hello')).toBe(true)
    socket.resetAndDestroy()
    await expect.poll(() => reset.events).toEqual(['forwarded', 'ended'])
  })

  const holder = fileURLToPath(new URL('../../support/pinhole-holder.js', import.meta.url))
  const isBuilt = existsSync(new URL('../../../dist/pinhole/nftables/create.js', import.meta.url))
  if (!isBuilt) console.log('killing the process: skipped, run npm run build first')

  /** Starts a process that holds one pinhole, and tells where. */
  async function hold(timeoutMs: number, port: number): Promise<{ child: ChildProcess; heard: string[] }> {
    const order = { request: request({ timeoutMs }), ports: { first: port, last: port } }
    const child = spawn(
      'ip',
      ['netns', 'exec', lab.namespace('gateway'), 'node', holder, JSON.stringify(order)],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    )
    children.push(child)
    const heard: string[] = []
    createInterface({ input: child.stdout }).on('line', (line) => heard.push(line))
    await expect.poll(() => heard, { timeout: 20_000 }).toEqual([`open ${port}`])
    return { child, heard }
  }

  function kill(child: ChildProcess): Promise<unknown> {
    const gone = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    return gone
  }

  it.skipIf(!isBuilt)(
    'outlive the process that opened them until their time is up, and no longer',
    async () => {
      const { child } = await hold(1500, 31_000)
      await kill(child)
      expect(hasElements()).toBe(true)
      await expect.poll(() => hasElements(), { timeout: 10_000, interval: 200 }).toBe(false)
      const late = lab.connect('client', { address: lab.gatewayTowards('client'), port: 31_000 })
      lab.nft('insert rule inet filter input reject with tcp reset')
      expect(await saysAndHears(late, 'anybody?')).toBe(false)
    },
  )

  it.skipIf(!isBuilt)('finish a transfer after kill -9, byte for byte', async () => {
    const { child, heard } = await hold(20_000, 31_001)
    const socket = lab.connect('client', { address: lab.gatewayTowards('client'), port: 31_001 })
    const [sent, received] = [createHash('sha256'), createHash('sha256')]
    let receivedBytes = 0
    socket.on('data', (chunk) => {
      received.update(chunk)
      receivedBytes += chunk.length
    })
    const totalBytes = 64 * 1024 * 1024
    for (let at = 0; at < totalBytes; at += 1024 * 1024) {
      const piece = randomBytes(1024 * 1024)
      sent.update(piece)
      if (!socket.write(piece)) await new Promise((resolve) => socket.once('drain', resolve))
      if (at === totalBytes / 4) {
        await expect.poll(() => heard).toContain('forwarded')
        await kill(child)
      }
    }
    socket.end()
    await expect.poll(() => receivedBytes, { timeout: 30_000 }).toBe(totalBytes)
    expect(received.digest('hex')).toBe(sent.digest('hex'))
  })

  it.skipIf(!isBuilt)('are swept away by the next start', async () => {
    const { child } = await hold(60_000, 31_002)
    await kill(child)
    expect(hasElements()).toBe(true)
    const running = await start()
    expect(hasElements()).toBe(false)
    expect(await saysAndHears(lab.connect('client', (await open(running)).at), 'clean')).toBe(true)
  })
})

function echoing(socket: Socket): void {
  socket.on('error', () => undefined)
  socket.pipe(socket)
}

/** Whether words come back; false when the connection is refused, reset or closed before. */
function saysAndHears(socket: Socket, words: string): Promise<boolean> {
  return new Promise((resolve) => {
    let heard = ''
    socket.on('error', () => resolve(false))
    socket.on('close', () => resolve(false))
    socket.on('data', (chunk) => {
      heard += chunk.toString('latin1')
      if (heard === words) resolve(true)
    })
    socket.write(words)
  })
}
