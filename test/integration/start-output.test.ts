// What the process says when it starts or cannot, to whom, and how often.

import { spawn, spawnSync } from 'node:child_process'
import { closeSync, fstatSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const main = new URL('../../dist/main.js', import.meta.url).pathname

describe('a process that cannot start', () => {
  let holder: Server
  let folder: string
  let port: number

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'ftp-alg-output-'))
    holder = createServer()
    await new Promise<void>((resolve) => holder.listen({ host: '127.0.0.1', port: 0 }, resolve))
    const at = holder.address()
    if (at === null || typeof at === 'string') throw new Error('not bound')
    port = at.port
  })
  afterAll(() => {
    holder.close()
    rmSync(folder, { recursive: true })
  })

  const flags = (listen: string) => ['run', '--listen', listen, '--upstream', '192.0.2.1', '--admin', 'off']

  it('says so once where both outputs are the journal, with the priority of an error', () => {
    const file = join(folder, 'journal')
    const fd = openSync(file, 'a')
    const { dev, ino } = fstatSync(fd)
    const { status } = spawnSync(process.execPath, [main, ...flags(`127.0.0.1:${port}`)], {
      stdio: ['ignore', fd, fd],
      env: { ...process.env, JOURNAL_STREAM: `${dev}:${ino}` },
      timeout: 20_000,
    })
    closeSync(fd)
    expect(status).toBe(1)
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n')
    expect(lines).toHaveLength(1)
    expect(lines[0]).toMatch(/^<3>\{"level":"error".*"process\.fail"/)
    // Neither the words nor a stack twice.
    expect(lines[0]?.split('address already in use (EADDRINUSE)')).toHaveLength(2)
    expect(JSON.parse(lines[0]?.slice(3) ?? '').error.message).toMatch(
      new RegExp(`: address already in use \\(EADDRINUSE\\), by .+ \\(process ${process.pid}\\)$`),
    )
    expect(lines[0]).not.toContain('"stack"')
  })

  it('says mistakes in the file with that priority too', () => {
    const file = join(folder, 'mistakes')
    const fd = openSync(file, 'a')
    const { dev, ino } = fstatSync(fd)
    const { status } = spawnSync(process.execPath, [main, 'run', '--workers', '0'], {
      stdio: ['ignore', fd, fd],
      env: { ...process.env, JOURNAL_STREAM: `${dev}:${ino}` },
      timeout: 20_000,
    })
    closeSync(fd)
    expect(status).toBe(2)
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n')
    expect(lines.length).toBeGreaterThan(1)
    for (const line of lines) expect(line).toMatch(/^<3>\S/)
  })

  const isRoot = process.getuid?.() === 0
  if (!isRoot) console.log('a port below 1024 without privilege: skipped, only root can give privileges up')
  it.skipIf(!isRoot)('names the capability that a port below 1024 needs, with exit code 3', () => {
    const low = lowPortIsReserved()
    if (!low) return
    const command = ['--reuid=65534', '--regid=65534', '--clear-groups', process.execPath, main]
    const { status, stderr } = spawnSync('setpriv', [...command, ...flags('127.0.0.1:21')], {
      encoding: 'utf8',
      timeout: 20_000,
    })
    expect(stderr).toMatch(
      /^ftp-alg: cannot listen on 127\.0\.0\.1 port 21: ports below 1024 need CAP_NET_BIND_SERVICE/,
    )
    expect(status).toBe(3)
  })
})

describe('a process that starts', () => {
  it('says at a terminal where it listens', async () => {
    const command = `${process.execPath} ${main} run --listen 127.0.0.1:0 --upstream 192.0.2.1 --admin 127.0.0.1:0`
    // A pseudo terminal of util-linux.
    const script = spawn('script', ['--quiet', '--return', '--command', command, '/dev/null'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let output = ''
    const greeted = new Promise<void>((resolve, reject) => {
      script.stdout.setEncoding('utf8').on('data', (text: string) => {
        output += text
        if (output.includes('status page')) resolve()
      })
      script.once('close', () => reject(new Error(output)))
      script.once('error', reject)
    })
    await greeted
    script.kill()
    expect(output).toMatch(
      /^ftp-alg \S+ listens on 127\.0\.0\.1:\d+; status page: http:\/\/127\.0\.0\.1:\d+\/\r$/m,
    )
  })
})

/** Containers often let everybody have every port. */
function lowPortIsReserved(): boolean {
  const first = Number(readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8'))
  if (first <= 21) console.log('a port below 1024 without privilege: skipped, here they are free for all')
  return first > 21
}
