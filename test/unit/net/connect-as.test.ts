import { describe, expect, it } from 'vitest'
import { type ForeignCall, withRestingPorts } from '../../../src/net/connect-as.ts'
import type { Connection } from '../../../src/tcp/connection.ts'

const call = {
  to: { address: '10.0.0.5', port: 5001 },
  as: { address: '198.51.100.9', port: 20 },
  avoidPort: undefined,
}

/** As much of a connection as is looked at here. */
class FakeConnection {
  close: () => void = () => undefined

  whenClosed(closed: () => void): void {
    this.close = closed
  }
}

function world() {
  let nowMs = 0
  const ports: number[] = []
  const connections: FakeConnection[] = []
  const connectAs = withRestingPorts(
    ({ as }, done) => {
      ports.push(as.port)
      const connection = new FakeConnection()
      connections.push(connection)
      queueMicrotask(() => done(null, connection as unknown as Connection))
      return { cancel: () => undefined }
    },
    () => nowMs,
  )
  return {
    ports,
    pass: (ms: number) => {
      nowMs += ms
    },
    connect: (changes: Partial<ForeignCall> = {}) => connectAs({ ...call, ...changes }, () => undefined),
    /** Closes the connection that was made last, once it stands. */
    close: async () => {
      await Promise.resolve()
      connections.at(-1)?.close()
    },
  }
}

describe('a certain source port towards one endpoint', () => {
  it('is asked for once while the connection lasts, however long that is', () => {
    const { ports, connect, pass } = world()
    connect()
    connect()
    pass(600_000)
    connect()
    expect(ports).toEqual([20, 0, 0])
  })

  it('rests for two minutes after the connection is closed', async () => {
    const { ports, connect, close, pass } = world()
    connect()
    pass(600_000)
    await close()
    pass(119_999)
    connect()
    pass(1)
    connect()
    expect(ports).toEqual([20, 0, 20])
  })

  it('is free for other endpoints, and for those who are called as somebody else', () => {
    const { ports, connect } = world()
    connect()
    connect({ to: { ...call.to, port: 5002 } })
    connect({ to: { ...call.to, address: '10.0.0.6' } })
    connect({ as: { ...call.as, address: '198.51.100.10' } })
    connect({ as: { ...call.as, port: 0 } })
    expect(ports).toEqual([20, 20, 20, 20, 0])
  })
})
