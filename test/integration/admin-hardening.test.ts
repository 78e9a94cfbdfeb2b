import { connect, createServer, type Socket } from 'node:net'
import { expect } from 'vitest'
import { MiB } from '../support/peers/payload.ts'
import { runProgram } from '../support/programs.ts'
import { test } from './admin-proxy.ts'

const main = new URL('../../dist/main.js', import.meta.url).pathname

test('an admin port in use stops the start with a clear message, exit code 1, and nothing left behind', async ({
  lab,
}) => {
  const { first } = await lab.ports()
  const taker = createServer().listen({ host: '127.0.0.1', port: first + 1 })
  lab.onClose(() => taker.close())
  await new Promise((resolve) => taker.once('listening', resolve))
  const at = `127.0.0.1:${first}`
  const flags = ['--listen', at, '--upstream', '127.0.0.1:9', '--admin', `127.0.0.1:${first + 1}`]
  const { exitCode, stdout, stderr } = await runProgram([process.execPath, main, 'run', ...flags])
  expect(exitCode).toBe(1)
  const said = `ftp-alg: cannot listen for admin on 127.0.0.1 port ${first + 1}: address already in use (EADDRINUSE), by `
  expect(stderr.startsWith(said)).toBe(true)
  expect(stderr.slice(said.length)).toMatch(new RegExp(`^.+ \\(process ${process.pid}\\)\\n$`))
  const records = stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line): Record<string, unknown> => JSON.parse(line))
  expect(records.at(-1)).toMatchObject({
    level: 'error',
    event: 'process.fail',
    code: 'LISTEN_FAILED',
    port: first + 1,
  })
  await expect(connected({ host: '127.0.0.1', port: first })).rejects.toThrow('ECONNREFUSED')
})

test('a Prometheus that scrapes 100 times a second disturbs no transfer, and counters only rise', async ({
  lab,
}) => {
  // So few that nothing is said about open files.
  const { login, transfer, get, proxy } = await lab.start({ more: 'limits: { sessions: 1000 }' })
  const clients = await Promise.all([login(), login(), login()])
  let isOver = false
  const busy = clients.map(async (client) => {
    let done = 0
    while (!isOver) {
      await transfer(client, MiB)
      done += 1
    }
    return done
  })
  const scrapes: Promise<{ readonly status: number; readonly body: string }>[] = []
  await new Promise<void>((resolve) => {
    const pace = setInterval(() => {
      scrapes.push(get('/metrics'))
      if (scrapes.length < 300) return
      clearInterval(pace)
      resolve()
    }, 10)
  })
  const answers = await Promise.all(scrapes)
  isOver = true
  const transfers = (await Promise.all(busy)).reduce((total, done) => total + done, 0)
  expect(answers.filter(({ status }) => status !== 200)).toEqual([])
  const bytes = answers.map(({ body }) =>
    Number(
      /^ftp_alg_data_bytes_total\{listener="edge",direction="upload",path="relay"\} (\d+)$/m.exec(body)?.[1],
    ),
  )
  expect(bytes).toEqual(bytes.toSorted((a, b) => a - b))
  expect(transfers).toBeGreaterThan(3)
  for (const client of clients) await client.command('QUIT')
  await expect
    .poll(
      async () =>
        /^ftp_alg_data_bytes_total\{listener="edge",direction="upload",path="relay"\} (\d+)$/m.exec(
          await proxy.metrics(),
        )?.[1],
    )
    .toBe(String(transfers * MiB))
  expect(proxy.records().filter(({ level }) => level === 'error' || level === 'warn')).toEqual([])
  await proxy.stop()
})

test('HTTP peers of every bad kind disturb neither FTP nor probes', async ({ lab }) => {
  const { login, transfer, get, proxy, admin } = await lab.start()
  const client = await login()
  const questions = [
    '',
    'G',
    'GET /metrics HTTP/1.1\r\nHost: x\r\nX-Slow: ',
    'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffffffff\r\n',
    'GET / HTTP/1.1\r\nHost: x\r\n\r\n',
    `GET /${'a'.repeat(9000)} HTTP/1.1\r\n\r\n`,
    '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
    'USER anonymous\r\n',
    '\0'.repeat(500),
    'GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(2000),
  ]
  const peers: Socket[] = []
  lab.onClose(() => {
    for (const peer of peers) peer.destroy()
  })
  for (let turn = 0; turn < 8; turn += 1) {
    for (const question of questions) {
      const peer = await connected({ host: admin.address, port: admin.port })
      peers.push(peer)
      // Most of them never read.
      if (turn === 0) peer.resume()
      peer.write(question, 'latin1')
    }
    expect((await get('/readyz')).body).toBe('ready\n')
    await transfer(client, MiB)
  }
  expect((await get('/metrics')).body).toContain('\nftp_alg_sessions_active{listener="edge"} 1\n')
  expect(proxy.records().filter(({ level }) => level === 'error')).toEqual([])
  await client.command('QUIT')
  await proxy.stop()
})

function connected(at: { readonly host: string; readonly port: number }): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(at, () => resolve(socket))
    socket.on('error', reject)
  })
}
