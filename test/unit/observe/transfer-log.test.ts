import { existsSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test as base, describe, expect } from 'vitest'
import { client, moved, observe, server } from './fixture.ts'

const test = base.extend<{ folder: string }>({
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads the names of the fixtures it needs from here
  folder: async ({}, use) => {
    const folder = await mkdtemp(join(tmpdir(), 'ftp-alg-transfers-'))
    await use(folder)
    await rm(folder, { recursive: true, force: true })
  },
})

const textOf = (path: string) => (existsSync(path) ? readFileSync(path, 'utf8') : null)

describe('the transfer log', () => {
  const transfer = (
    session: ReturnType<ReturnType<typeof observe>['observer']['sessionOpened']>,
    path: string,
    verb = 'RETR',
  ) => {
    session.record({ type: 'command', verb, line: `${verb} ${path}` })
    const channel = { channel: 1, mode: 'passive', path: 'relay' } as const
    session.dataOpened({ ...channel, setupMs: 1 })
    session.dataEnded({ ...channel, uploadBytes: 0, downloadBytes: 65_536, durationMs: 250, result: 'ok' })
    session.record({ type: 'transfer', verb, path, code: 226, channel: 1 })
  }
  const openSession = ({ observer }: ReturnType<typeof observe>) => {
    const session = observer.sessionOpened({ listener: 'edge', client })
    session.upstreamConnected({ server, durationMs: 1 })
    session.record({ type: 'command', verb: 'PASS', line: 'PASS ***' })
    session.record({ type: 'login', user: 'anna', accepted: true, code: 230 })
    return session
  }
  const objectsIn = (path: string) =>
    (textOf(path) ?? '')
      .split('\n')
      .filter((line) => line !== '')
      .map((line): Record<string, unknown> => JSON.parse(line))

  test('has one object for each file, and none for a listing', async ({ folder }) => {
    const path = join(folder, 'transfers.log')
    const observed = observe()
    observed.observer.logTransfersTo({ file: path, format: 'json' })
    const session = openSession(observed)
    session.record({ type: 'command', verb: 'TYPE', line: 'TYPE I' })
    transfer(session, '/pub/a.bin')
    transfer(session, '', 'LIST')
    await observed.observer.close()
    expect(objectsIn(path)).toMatchObject([
      {
        session_id: session.id,
        listener: 'edge',
        client_ip: '203.0.113.9',
        server_ip: '10.0.0.5',
        user: 'anna',
        command: 'RETR',
        file: '/pub/a.bin',
        direction: 'download',
        type: 'binary',
        mode: 'passive',
        path: 'relay',
        bytes: 65_536,
        duration_ms: 250,
        result: 'ok',
        reply_code: 226,
      },
    ])
  })

  test('names what was under way when the session broke', async ({ folder }) => {
    const path = join(folder, 'transfers.log')
    const observed = observe()
    observed.observer.logTransfersTo({ file: path, format: 'json' })
    const session = openSession(observed)
    transfer(session, 'done.bin')
    session.record({ type: 'command', verb: 'STOR', line: 'STOR half done.bin' })
    const channel = { channel: 2, mode: 'active', path: 'relay' } as const
    session.dataOpened({ ...channel, setupMs: 1 })
    session.dataEnded({ ...channel, uploadBytes: 7, downloadBytes: 0, durationMs: 1, result: 'reset' })
    session.closed({ reason: 'client', durationMs: 5 })
    await observed.observer.close()
    const [, broken] = objectsIn(path)
    expect(broken).toMatchObject({
      command: 'STOR',
      file: 'half done.bin',
      bytes: 7,
      result: 'reset',
      type: 'ascii',
    })
    expect(broken).not.toHaveProperty('reply_code')
    expect(observed.linesOf('transfer')[1]).toMatchObject({
      command: 'STOR',
      file: 'half done.bin',
      result: 'reset',
    })
  })

  test('a file that was refused is not named for what comes after it', async ({ folder }) => {
    const path = join(folder, 'transfers.log')
    const observed = observe()
    observed.observer.logTransfersTo({ file: path, format: 'json' })
    const session = openSession(observed)
    session.record({ type: 'command', verb: 'RETR', line: 'RETR secret' })
    session.record({ type: 'refusal', verb: 'RETR', reason: 'pinhole_expired', code: 425, detail: '' })
    session.dataOpened({ channel: 3, mode: 'passive', path: 'relay', setupMs: 1 })
    session.closed({ reason: 'client', durationMs: 5 })
    await observed.observer.close()
    expect(objectsIn(path)).toEqual([])
  })

  test('never has a secret, and shows names as the log does', async ({ folder }) => {
    const path = join(folder, 'transfers.log')
    const observed = observe()
    observed.observer.logTransfersTo({ file: path, format: 'xferlog' })
    const session = openSession(observed)
    transfer(session, `Ã¼ber uns${'/x'.repeat(200)}`)
    await observed.observer.close()
    const line = textOf(path) ?? ''
    expect(line).toContain(` über_uns${'/x'.repeat(200)} a _ o r anna ftp 0 * c\n`)
    expect(line).not.toMatch(/PASS|\*\*\*/)
  })

  test('counts lines, and says once what is wrong and once that it is over', async ({ folder }) => {
    const path = join(folder, 'later', 'transfers.log')
    const observed = observe()
    const { observer, linesOf } = observed
    observer.logTransfersTo({ file: path, format: 'json' })
    const session = openSession(observed)
    transfer(session, 'a')
    await expect
      .poll(() => linesOf('transfers.fail'))
      .toEqual([
        {
          level: 'error',
          event: 'transfers.fail',
          message: 'transfer log cannot be written, it is tried again every second',
          log_file: path,
          operation: 'open',
          reason: 'no such file or directory (ENOENT)',
        },
      ])
    expect(observer.status().transfer_log).toEqual({
      file: path,
      format: 'json',
      problem: 'no such file or directory (ENOENT)',
      lines_written: 0,
      lines_lost: 0,
    })
    expect(await observer.exposition()).toContain('\nftp_alg_transfer_log_failing 1\n')
    await mkdir(join(folder, 'later'))
    const changes = await moved(observer, () =>
      expect.poll(() => linesOf('transfers.recover')).toHaveLength(1),
    )
    expect(changes).toEqual({
      ftp_alg_transfer_log_failing: -1,
      'ftp_alg_transfer_log_lines_total{result="written"}': 1,
    })
    expect(linesOf('transfers.recover')).toMatchObject([{ log_file: path, count: 0 }])
    expect(linesOf('transfers.fail')).toHaveLength(1)
    expect(observer.status().transfer_log).toMatchObject({ problem: null, lines_written: 1 })
    await observer.close()
  })

  test('goes on elsewhere, in another format, or not at all, as it is told', async ({ folder }) => {
    const observed = observe()
    const { observer, linesOf } = observed
    const session = openSession(observed)
    transfer(session, 'before')
    const [first, second] = [join(folder, 'first'), join(folder, 'second')]
    observer.logTransfersTo({ file: first, format: 'json' })
    transfer(session, 'one')
    observer.logTransfersTo({ file: second, format: 'json' })
    transfer(session, 'two')
    observer.logTransfersTo({ file: second, format: 'xferlog' })
    transfer(session, 'three')
    observer.logTransfersTo(null)
    transfer(session, 'after')
    expect(observer.status().transfer_log).toBeNull()
    await observer.close()
    expect(textOf(first)).toMatch(/^\{.*"file":"one".*\}\n$/)
    expect(textOf(second)).toMatch(/^\{.*"file":"two".*\}\n.* 65536 three a _ o r anna ftp 0 \* c\n$/)
    expect(linesOf('transfers.open').map((line) => line.log_file)).toContain(first)
  })

  test('is opened anew when logs were rotated', async ({ folder }) => {
    const path = join(folder, 'transfers.log')
    const observed = observe()
    const { observer, linesOf } = observed
    observer.logTransfersTo({ file: path, format: 'json' })
    const session = openSession(observed)
    transfer(session, 'one')
    await expect.poll(() => objectsIn(path)).toHaveLength(1)
    await rename(path, `${path}.1`)
    observer.reopenLogs()
    await expect.poll(() => linesOf('transfers.open')).toHaveLength(2)
    transfer(session, 'two')
    await observer.close()
    expect([objectsIn(`${path}.1`), objectsIn(path)]).toMatchObject([[{ file: 'one' }], [{ file: 'two' }]])
  })
})
