import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { lockTables, type TableLock } from '../../../src/kernel/table-lock.ts'
import { Lab, whyNoNamespaces } from '../../support/kernel-netns.ts'

const obstacle = whyNoNamespaces()
if (obstacle !== null) console.log(`the lock of the tables: skipped, ${obstacle}`)

/** Listens where the lock would, and says so. */
const holder = `require('node:net').createServer().listen('\\0ftp-alg/tables/ftp_alg'.padEnd(108, '\\0'), () => console.log('held'))`

describe.skipIf(obstacle !== null)('the tables of a name', () => {
  let lab: Lab
  const locks: TableLock[] = []

  beforeAll(async () => {
    lab = await Lab.create()
  })
  afterEach(() => {
    for (const lock of locks.splice(0)) lock.release()
  })
  afterAll(() => lab.close())

  async function lock(table = 'ftp_alg'): Promise<TableLock> {
    const taken = await lockTables(lab.libc, table)
    locks.push(taken)
    return taken
  }

  /** Another process, in a namespace, that has the lock until it is killed. */
  async function hold(namespace: string, user = 0) {
    const inside = ['netns', 'exec', lab.namespace(namespace), 'setpriv', '--reuid', String(user)]
    const child = spawn('ip', [...inside, '--clear-groups', process.execPath, '-e', holder], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(child.stdout, 'data')
    const gone = once(child, 'exit')
    return { pid: child.pid, kill: () => child.kill('SIGKILL') && gone }
  }

  it('are one process’s at a time, which is named to the other', async () => {
    await lock()
    await expect(lock()).rejects.toThrow(
      expect.objectContaining({
        code: 'RUNTIME_FAILED',
        message: `another ftp-alg runs here with the tables ftp_alg (process ${process.pid}): stop it, or give one of the two a pinholes.table of its own, such as ftp_alg_two`,
      }),
    )
  })

  it('are free again when they are given back, and when their process was killed', async () => {
    const first = await lock()
    first.release()
    first.release()
    const other = await hold('gateway')
    await expect(lock()).rejects.toThrow(`(process ${other.pid})`)
    await other.kill()
    await lock()
  })

  it('are others than those of another name, and of another network namespace', async () => {
    const elsewhere = await hold('client')
    await lock()
    await lock('ftp_alg_two')
    await elsewhere.kill()
  })

  it('cannot be withheld by a user who has no business with them', async () => {
    const nobody = await hold('gateway', 65_534)
    await lock()
    await nobody.kill()
  })
})
