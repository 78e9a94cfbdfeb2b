import { describe, expect, it } from 'vitest'
import { AlgError } from '../../../src/errors.ts'
import type { ElementChange, ElementFailure } from '../../../src/kernel/nft-elements.ts'
import { ElementTransactions, type JobResult } from '../../../src/pinhole/nftables/transactions.ts'

const EEXIST = 17
const ENOENT = 2
const ENOMEM = 12

const change = (action: 'add' | 'delete', key: number, table = 'ftp_alg'): ElementChange => ({
  action,
  set: { family: 'ip', table, set: 'once' },
  key: Uint8Array.of(key),
})
const add = (key: number) => change('add', key)
const remove = (key: number) => change('delete', key)

/** A kernel that answers what it is told to, and remembers what it was asked. */
class FakeKernel {
  readonly asked: string[] = []
  readonly answers: (readonly ElementFailure[] | Error)[] = []
  restores = 0
  canRestore = true
  readonly transactions = new ElementTransactions({
    table: 'ftp_alg',
    change: (changes) => {
      this.asked.push(changes.map(({ action, key }) => `${action} ${key[0]}`).join(', '))
      const answer = this.answers.shift() ?? []
      if (answer instanceof Error) throw answer
      return answer
    },
    restoreTables: () => {
      this.restores += 1
      return this.canRestore
    },
    soon: process.nextTick,
  })

  /** Submits a job and keeps what becomes of it: `ok` or the error's message. */
  submit(...changes: readonly ElementChange[]): { outcome: string | null } {
    const job: { outcome: string | null } = { outcome: null }
    this.transactions.submit(changes, (result) => {
      expect(job.outcome).toBeNull()
      job.outcome = describeResult(result)
    })
    return job
  }
}

function describeResult(result: JobResult): string {
  return result.ok ? 'ok' : `${result.error.code}: ${result.error.message}`
}

describe('transactions of elements', () => {
  it('carry out all jobs of one turn together, in order', async () => {
    const kernel = new FakeKernel()
    const jobs = [kernel.submit(add(1), add(2)), kernel.submit(remove(3))]
    expect(kernel.asked).toEqual([])
    await new Promise((resolve) => setImmediate(resolve))
    expect(kernel.asked).toEqual(['add 1, add 2, delete 3'])
    expect(jobs.map(({ outcome }) => outcome)).toEqual(['ok', 'ok'])
  })

  it('can be carried out at once, and then not again', async () => {
    const kernel = new FakeKernel()
    kernel.submit(add(1))
    kernel.transactions.flush()
    await new Promise((resolve) => setImmediate(resolve))
    expect(kernel.asked).toEqual(['add 1'])
  })

  it('keep nobody waiting for tidying', async () => {
    const kernel = new FakeKernel()
    kernel.transactions.submitLater([remove(7)])
    kernel.transactions.submitLater([])
    kernel.transactions.submitLater([remove(8), remove(9)])
    kernel.submit(add(1))
    await new Promise((resolve) => setImmediate(resolve))
    expect(kernel.asked).toEqual(['add 1'])
    await expect.poll(() => kernel.asked).toEqual(['add 1', 'delete 7, delete 8, delete 9'])
  })

  it('tidy a key up before something is added under it', async () => {
    const kernel = new FakeKernel()
    kernel.transactions.submitLater([remove(6), remove(7)])
    kernel.submit(add(1), add(7))
    kernel.submit(add(6))
    kernel.transactions.submitLater([remove(7)])
    await new Promise((resolve) => setImmediate(resolve))
    expect(kernel.asked).toEqual(['delete 6, delete 7, add 1, add 7, add 6'])
    kernel.transactions.flush()
    expect(kernel.asked.slice(1)).toEqual(['delete 7'])
  })

  it('tidy up alone when nothing comes', async () => {
    const kernel = new FakeKernel()
    kernel.transactions.submitLater([remove(7)])
    await expect.poll(() => kernel.asked).toEqual(['delete 7'])
  })

  it('fail a job alone, not its neighbours', () => {
    const kernel = new FakeKernel()
    kernel.answers.push([{ index: 2, errno: EEXIST }])
    const jobs = [kernel.submit(add(1)), kernel.submit(add(2), add(3)), kernel.submit(add(4))]
    kernel.transactions.flush()
    expect(kernel.asked).toEqual(['add 1, add 2, add 3, add 4', 'add 1, add 4'])
    expect(jobs.map(({ outcome }) => outcome)).toEqual([
      'ok',
      'PINHOLE_FAILED: nft add element ip ftp_alg once failed: EEXIST, file already exists (the same peer, address and port with another target)',
      'ok',
    ])
  })

  it('do not mind when what they delete is gone', () => {
    const kernel = new FakeKernel()
    kernel.answers.push([{ index: 1, errno: ENOENT }])
    const jobs = [kernel.submit(remove(1)), kernel.submit(remove(2), remove(3))]
    kernel.transactions.flush()
    expect(kernel.asked).toEqual(['delete 1, delete 2, delete 3', 'delete 1, delete 3'])
    expect(jobs.map(({ outcome }) => outcome)).toEqual(['ok', 'ok'])
  })

  it('ask nothing more when everything was gone', () => {
    const kernel = new FakeKernel()
    kernel.answers.push([{ index: 0, errno: ENOENT }])
    const job = kernel.submit(remove(1))
    kernel.transactions.flush()
    expect(kernel.asked).toEqual(['delete 1'])
    expect(job.outcome).toBe('ok')
  })

  it('put the tables back once and go on', () => {
    const kernel = new FakeKernel()
    kernel.answers.push([
      { index: 0, errno: ENOENT },
      { index: 1, errno: ENOENT },
    ])
    const jobs = [kernel.submit(add(1)), kernel.submit(remove(2))]
    kernel.transactions.flush()
    expect(kernel.restores).toBe(1)
    expect(kernel.asked).toEqual(['add 1, delete 2', 'add 1, delete 2'])
    expect(jobs.map(({ outcome }) => outcome)).toEqual(['ok', 'ok'])
  })

  it('give up when the tables cannot be put back, or do not help', () => {
    for (const canRestore of [true, false]) {
      const kernel = new FakeKernel()
      kernel.canRestore = canRestore
      kernel.answers.push([{ index: 0, errno: ENOENT }], [{ index: 0, errno: ENOENT }])
      const job = kernel.submit(add(1))
      kernel.transactions.flush()
      expect(kernel.restores).toBe(1)
      expect(job.outcome).toBe(
        'PINHOLE_FAILED: nft add element ip ftp_alg once failed: ENOENT, no such file or directory',
      )
    }
  })

  it('do not put our tables back for want of somebody else’s set', () => {
    const kernel = new FakeKernel()
    kernel.answers.push([{ index: 0, errno: ENOENT }])
    const job = kernel.submit(change('add', 1, 'filter'))
    kernel.transactions.flush()
    expect(kernel.restores).toBe(0)
    expect(job.outcome).toMatch(/^PINHOLE_FAILED/)
  })

  it('turn a kernel that takes nothing into a failure of each job', () => {
    const kernel = new FakeKernel()
    kernel.answers.push(new AlgError('PRIVILEGE_MISSING', 'send failed: EPERM'))
    const jobs = [kernel.submit(add(1)), kernel.submit(remove(2))]
    kernel.transactions.flush()
    expect(jobs.map(({ outcome }) => outcome)).toEqual([
      'PINHOLE_FAILED: send failed: EPERM',
      'PINHOLE_FAILED: send failed: EPERM',
    ])
  })

  it('are cut where one message would be too long, but never within a job', () => {
    const kernel = new FakeKernel()
    const jobs = Array.from({ length: 300 }, (_, index) => kernel.submit(add(index), add(index), add(index)))
    kernel.transactions.flush()
    expect(kernel.asked.map((asked) => asked.split(', ').length)).toEqual([402, 402, 96])
    expect(jobs.every(({ outcome }) => outcome === 'ok')).toBe(true)
  })

  it('end even when nothing works', () => {
    const kernel = new FakeKernel()
    kernel.answers.push([{ index: 0, errno: ENOMEM }])
    const job = kernel.submit(remove(1))
    kernel.transactions.flush()
    expect(job.outcome).toMatch(/^PINHOLE_FAILED: nft delete element ip ftp_alg once failed: ENOMEM/)
  })
})
