import { describe, expect, it } from 'vitest'
import { checkTcp } from '../../../src/cli/doctor/machine.ts'
import { type Libc, loadLibc } from '../../../src/kernel/libc.ts'
import { openTcp } from '../../../src/tcp/open-tcp.ts'
import { Tcp } from '../../../src/tcp/tcp.ts'

const libc = await loadLibc().catch(() => null)

describe('which implementation of TCP runs', () => {
  it('is the sockets of Node without koffi, and why is kept', () => {
    expect(new Tcp({ libc: null, whyNoLibc: 'koffi has gone' }).choice).toEqual({
      implementation: 'node',
      reason: 'koffi has gone',
    })
  })

  it.skipIf(libc === null)('is epoll with koffi, and doctor says so', async () => {
    expect((await openTcp({ isRequired: true })).tcp.choice).toEqual({
      implementation: 'epoll',
      reason: null,
    })
    expect(await checkTcp()).toMatchObject({ check: 'tcp', state: 'ok' })
  })

  it.skipIf(libc === null)('is the sockets of Node where the kernel gives no epoll, and why is kept', () => {
    const refusing: Libc = { ...(libc as Libc), epollCreate: () => -1, errno: () => 24 }
    const { implementation, reason } = new Tcp({ libc: refusing }).choice
    expect(implementation).toBe('node')
    expect(reason).toMatch(/^epoll_create1 failed: EMFILE/)
  })
})
