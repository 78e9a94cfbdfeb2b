import { describe, expect, it } from 'vitest'
import { type FlowBytes, type FlowReport, keyOf } from '../../../src/kernel/conntrack.ts'
import { ForwardedFlows } from '../../../src/pinhole/nftables/flows.ts'

const at = { address: '192.0.2.1', port: 30_000 }
const bytes = { sentBytes: 100, receivedBytes: 2000 }

function report(fromPort: number, changes: Partial<FlowReport> = {}, toPort = at.port): FlowReport {
  const flow = { from: { address: '10.0.0.5', port: fromPort }, to: { address: at.address, port: toPort } }
  return { key: keyOf(flow), flow, state: 'open', bytes: null, ...changes }
}

function watched() {
  const table: FlowReport[] = []
  const flows = new ForwardedFlows({
    find: (key) => table.find((each) => each.key === key) ?? null,
    list: () => table,
    erase: (key) => void erased.push(key),
  })
  const erased: string[] = []
  const heard: (string | FlowBytes | null)[] = []
  const expectOne = (port = at.port) =>
    flows.expect(
      '10.0.0.5',
      { ...at, port },
      { began: () => void heard.push('began'), ended: (counted) => void heard.push(counted) },
    )
  return { flows, table, heard, erased, expectOne }
}

describe('forwarded connections', () => {
  it('begin once, end once, and are counted when they close', () => {
    const { flows, table, heard, expectOne } = watched()
    expectOne()
    flows.began(report(50_000))
    flows.began(report(50_001))
    expect(flows.running).toBe(1)
    table.push(report(50_000, { state: 'closed', bytes }))
    flows.closed(report(50_000).key, 'closed')
    flows.forgotten(report(50_000).key, bytes)
    expect(heard).toEqual(['began', bytes])
    expect(flows.running).toBe(0)
  })

  it('are counted by conntrack’s last word when no close was seen', () => {
    const { flows, heard, expectOne } = watched()
    expectOne()
    flows.began(report(50_000))
    flows.forgotten(report(50_000).key, bytes)
    expect(heard).toEqual(['began', bytes])
  })

  it('are none of ours when nobody was expected, or not any more', () => {
    const { flows, heard, expectOne } = watched()
    flows.began(report(50_000))
    expectOne()
    flows.unexpect('10.0.0.5', at)
    flows.began(report(50_001))
    flows.closed(report(50_001).key, 'closed')
    flows.forgotten(report(50_000).key, null)
    expect(heard).toEqual([])
  })

  it('are caught up with after events were lost', () => {
    const { flows, table, heard, expectOne } = watched()
    for (const port of [30_000, 30_001, 30_002, 30_003]) expectOne(port)
    flows.began(report(50_000, {}, 30_000)) // still running
    flows.began(report(50_001, {}, 30_001)) // closed meanwhile
    flows.began(report(50_002, {}, 30_002)) // forgotten meanwhile
    table.push(report(50_000, {}, 30_000))
    table.push(report(50_001, { state: 'closed', bytes }, 30_001))
    table.push(report(50_003, {}, 30_003)) // began meanwhile
    table.push(report(49_000, { state: 'closed' }, 30_003)) // an earlier one at the same place
    table.push(report(50_009, {}, 30_009)) // relayed
    heard.length = 0
    flows.lost()
    expect(heard).toEqual(['began', bytes, null])
    expect(flows.running).toBe(2)
  })

  it('that were reset are erased before another pinhole opens at the same place', () => {
    const { flows, erased, expectOne } = watched()
    expectOne()
    flows.began(report(50_000))
    flows.closed(report(50_000).key, 'reset')
    flows.closed(report(50_001).key, 'reset') // a relayed one
    flows.closed(report(50_002).key, 'closed')
    flows.closed(report(50_003, {}, 30_001).key, 'reset') // at another place
    flows.closed(report(50_004).key, 'reset')
    flows.forgotten(report(50_004).key, bytes)
    flows.closed(report(50_005).key, 'reset')
    flows.began(report(50_005)) // conntrack has begun again with it
    flows.makeWay('10.0.0.6', at)
    expect(erased).toEqual([])
    flows.makeWay('10.0.0.5', at)
    flows.makeWay('10.0.0.5', at)
    expect(erased).toEqual([report(50_000).key, report(50_001).key])
  })

  it('that were reset are known after events were lost', () => {
    const { flows, table, erased } = watched()
    flows.closed(report(50_000).key, 'reset') // forgotten meanwhile
    table.push(report(50_001, { state: 'reset' }))
    flows.lost()
    flows.makeWay('10.0.0.5', at)
    expect(erased).toEqual([report(50_001).key])
  })
})
