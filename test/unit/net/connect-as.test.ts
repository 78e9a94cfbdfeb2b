import { Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { type ForeignCall, withRestingPorts } from '../../../src/net/connect-as.ts'

const call = {
  to: { address: '10.0.0.5', port: 5001 },
  as: { address: '198.51.100.9', port: 20 },
  avoidPort: undefined,
}

function world() {
  let nowMs = 0
  const ports: number[] = []
  const connectAs = withRestingPorts(
    ({ as }) => {
      ports.push(as.port)
      return new Socket()
    },
    () => nowMs,
  )
  return {
    ports,
    pass: (ms: number) => {
      nowMs += ms
    },
    connect: (changes: Partial<ForeignCall> = {}) => connectAs({ ...call, ...changes }),
    close: (socket: Socket) =>
      new Promise((resolve) => {
        socket.once('close', resolve)
        socket.destroy()
      }),
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
    const socket = connect()
    pass(600_000)
    await close(socket)
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
