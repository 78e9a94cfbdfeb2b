import { existsSync, readFileSync } from 'node:fs'
import { mkdir, readdir, rename, rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { describe } from 'vitest'
import { KiB, MiB } from '../support/peers/payload.ts'
import { type Place, runOrThrow } from '../support/programs.ts'
import { test } from './admin-proxy.ts'

const mountMissing = process.getuid?.() === 0 ? null : 'it needs root, to mount a small disk'
if (mountMissing !== null) console.warn(`the transfer log on a small disk is skipped: ${mountMissing}`)

const textOf = (path: string) => (existsSync(path) ? readFileSync(path, 'utf8') : '')
const linesIn = (path: string) => textOf(path).split('\n').slice(0, -1)
const sizesIn = (path: string) => linesIn(path).map((line) => Number(JSON.parse(line).file))

describe.concurrent('the transfer log', () => {
  test('has a line for each file that real transfers moved, in both formats', async ({ lab, expect }) => {
    const path = join(lab.folder, 'transfers.log')
    const { login, transfer, proxy } = await lab.start({ more: transfersTo(path, 'xferlog') })
    const client = await login('anna')
    await client.command('TYPE I')
    await transfer(client, 64 * KiB)
    await client.download('LIST')
    await client.command('QUIT')
    await proxy.stop()
    const date = '\\w{3} \\w{3} [ 1-3]\\d \\d\\d:\\d\\d:\\d\\d \\d{4}'
    expect(linesIn(path)).toEqual([
      expect.stringMatching(new RegExp(`^${date} 1 127\\.0\\.0\\.1 65536 65536 b _ i r anna ftp 0 \\* c$`)),
      expect.stringMatching(new RegExp(`^${date} 1 127\\.0\\.0\\.1 65536 65536 b _ o r anna ftp 0 \\* c$`)),
    ])
    expect(textOf(path)).not.toContain('secret')
  })

  test('is rotated by SIGUSR2 under load, without a line lost or doubled', async ({ lab, expect }) => {
    const path = join(lab.folder, 'transfers.log')
    const { login, transfer, proxy } = await lab.start({ more: transfersTo(path, 'json') })
    const clients = await Promise.all([login(), login(), login(), login()])
    const sizes = new Set<number>()
    let next = 1000
    let isOver = false
    const busy = clients.map(async (client) => {
      while (!isOver) {
        next += 1
        sizes.add(next)
        await transfer(client, next)
      }
    })
    for (let turn = 1; turn <= 5; turn += 1) {
      await expect.poll(() => linesIn(path).length).toBeGreaterThan(3)
      await rename(path, `${path}.${turn}`)
      proxy.signal('SIGUSR2')
      await proxy.waitForRecord(
        () => proxy.records().filter(({ event }) => event === 'transfers.open').length === turn + 1,
        `the file to be opened ${turn + 1} times`,
      )
    }
    isOver = true
    await Promise.all(busy)
    for (const client of clients) await client.command('QUIT')
    await proxy.stop()
    const files = (await readdir(lab.folder)).filter((name) => name.startsWith('transfers.log'))
    expect(files).toHaveLength(6)
    const all = files.flatMap((name) => sizesIn(join(lab.folder, name)))
    // Each went up and down.
    expect(all.sort((a, b) => a - b)).toEqual(
      [...sizes].flatMap((size) => [size, size]).sort((a, b) => a - b),
    )
  })

  test('is one file for several workers, and all of them go on with the new one after SIGUSR2', async ({
    lab,
    expect,
  }) => {
    const path = join(lab.folder, 'transfers.log')
    const { login, transfer, proxy, get } = await lab.start({
      more: `workers: 2\n${transfersTo(path, 'json')}`,
    })
    const clients = await Promise.all(Array.from({ length: 6 }, () => login()))
    const everyone = async (first: number) => {
      await Promise.all(clients.map((client, index) => transfer(client, first + index)))
      return clients.flatMap((_, index) => [first + index, first + index])
    }
    const before = await everyone(1000)
    await expect.poll(() => sizesIn(path).length).toBe(12)
    await rename(path, `${path}.1`)
    proxy.signal('SIGUSR2')
    const opened = () => proxy.records().filter(({ event }) => event === 'transfers.open').length
    await proxy.waitForRecord(() => opened() === 4, 'both workers to open the new file')
    const after = await everyone(2000)
    await expect.poll(() => sizesIn(path).length).toBe(12)
    expect([sizesIn(`${path}.1`).sort(), sizesIn(path).sort()]).toEqual([before, after])
    await expect
      .poll(async () => JSON.parse((await get('/api/v1/status')).body).transfer_log)
      .toEqual({ file: path, format: 'json', problem: null, lines_written: 24, lines_lost: 0 })
    for (const client of clients) await client.command('QUIT')
    await proxy.stop()
  })

  test('that cannot be opened stops nothing: said, counted, tried again', async ({ lab, expect }) => {
    const path = join(lab.folder, 'missing', 'transfers.log')
    const { login, transfer, proxy, get } = await lab.start({ more: transfersTo(path, 'json') })
    const client = await login()
    await transfer(client, MiB)
    const failure = await proxy.waitForRecord(({ event }) => event === 'transfers.fail', 'the failure')
    expect(failure).toMatchObject({
      level: 'error',
      log_file: path,
      operation: 'open',
      reason: 'no such file or directory (ENOENT)',
    })
    expect(await proxy.metrics()).toContain('\nftp_alg_transfer_log_failing 1\n')
    expect((await get('/')).body).toContain('cannot be written: no such file or directory (ENOENT)')
    await mkdir(join(lab.folder, 'missing'))
    await proxy.waitForRecord(({ event }) => event === 'transfers.recover', 'the recovery')
    await expect.poll(() => sizesIn(path)).toEqual([MiB, MiB])
    await proxy.stop()
    expect(proxy.records().filter(({ event }) => event === 'transfers.fail')).toHaveLength(1)
  })

  test('on a full disk stops nothing: what does not fit in memory is counted', async ({ lab, expect }) => {
    const path = join(lab.folder, 'transfers.log')
    await symlink('/dev/full', path)
    const { login, transfer, proxy } = await lab.start({ more: transfersTo(path, 'json') })
    const client = await login()
    for (let n = 0; n < 20; n += 1) await transfer(client, KiB)
    const failure = await proxy.waitForRecord(({ event }) => event === 'transfers.fail', 'the failure')
    expect(failure).toMatchObject({ operation: 'write', reason: 'no space left on device (ENOSPC)' })
    // Somebody makes room.
    await rm(path)
    await expect.poll(() => sizesIn(path)).toHaveLength(40)
    await transfer(client, KiB)
    await expect.poll(() => sizesIn(path)).toHaveLength(42)
    expect(await proxy.metrics()).toContain('\nftp_alg_transfer_log_lines_total{result="lost"} 0\n')
    await proxy.stop()
  })

  test.skipIf(mountMissing !== null)(
    'on a real disk that fills up in the middle of a line goes on in that line when there is room',
    async ({ lab, expect }) => {
      const disk = join(lab.folder, 'disk')
      await mkdir(disk)
      const path = join(disk, 'transfers.log')
      const { login, transfer, proxy } = await lab.start({
        more: transfersTo(path, 'json'),
        place: withSmallDisk(disk),
      })
      const seen = `/proc/${proxy.pid}/root${path}`
      const client = await login()
      const failures = () => proxy.records().filter(({ event }) => event === 'transfers.fail')
      let size = 1000
      for (; failures().length === 0 && size < 1100; size += 1) await transfer(client, size)
      expect(failures()).toMatchObject([{ operation: 'write', reason: 'no space left on device (ENOSPC)' }])
      await transfer(client, size)
      expect(textOf(seen)).toMatch(/[^\n]$/)
      await runOrThrow(['nsenter', '-t', String(proxy.pid), '-m', 'mount', '-o', 'remount,size=1m', disk])
      await proxy.waitForRecord(({ event }) => event === 'transfers.recover', 'the recovery')
      const sizes = Array.from({ length: size - 999 }, (_, n) => 1000 + n)
      await expect.poll(() => sizesIn(seen)).toEqual(sizes.flatMap((each) => [each, each]))
      await proxy.stop()
    },
  )

  test('follows the configuration on SIGHUP, without a restart', async ({ lab, expect }) => {
    const [first, second] = [join(lab.folder, 'first'), join(lab.folder, 'second')]
    const { login, transfer, proxy, reloadWith } = await lab.start({ more: transfersTo(first, 'json') })
    const client = await login()
    await transfer(client, 1001)
    await reloadWith(transfersTo(second, 'xferlog'))
    await transfer(client, 1002)
    await reloadWith('')
    await transfer(client, 1003)
    await client.command('QUIT')
    await proxy.stop()
    expect(sizesIn(first)).toEqual([1001, 1001])
    expect(linesIn(second).map((line) => line.split(' ').at(-10))).toEqual(['1002', '1002'])
  })
})

function transfersTo(file: string, format: 'json' | 'xferlog'): string {
  return `log: { transfers: { file: '${file}', format: ${format} } }\n`
}

/** A mount namespace in which a disk of two pages stands at `folder`. */
function withSmallDisk(folder: string): Place {
  const script = 'mount -t tmpfs -o size=8k tmpfs "$0" && exec "$@"'
  return { name: 'a small disk', command: (argv) => ['unshare', '-m', 'sh', '-c', script, folder, ...argv] }
}
