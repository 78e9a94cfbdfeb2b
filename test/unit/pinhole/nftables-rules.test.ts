import { describe, expect, it } from 'vitest'
import { pinholeSets, pinholeTables } from '../../../src/firewall/pinhole-table.ts'
import { doorOf, type Hole, openHole, sweepHole } from '../../../src/pinhole/nftables/elements.ts'
import { parseSetName } from '../../../src/pinhole/nftables/their-sets.ts'

const own = pinholeSets()
const none = { own, theirs: { ip: null, ip6: null } }
const theirs = {
  own,
  theirs: { ip: { family: 'inet', table: 'filter', set: 'ftp_data' }, ip6: null },
} as const

const hole: Hole = {
  peer: '10.0.0.5',
  at: { address: '192.0.2.1', port: 40_001 },
  forward: { address: '198.51.100.9', port: 5001 },
  source: '198.51.100.1',
  timeoutMs: 60_000,
  owner: 'k3v9x0q2m1',
}

const shown = (changes: ReturnType<typeof openHole>) =>
  changes.map(({ action, set, key, value, timeoutMs, comment }) =>
    [
      `${action} ${set.family} ${set.table} ${set.set}`,
      Buffer.from(key).toString('hex'),
      value === undefined ? '' : Buffer.from(value).toString('hex'),
      timeoutMs ?? '',
      comment ?? '',
    ].join(' '),
  )

describe('the elements of a pinhole', () => {
  it('say who, where to, as whom, and for how long; the door comes last', () => {
    const key = '0a000005c00002019c410000'
    expect(shown(openHole(hole, none))).toEqual([
      `add ip ftp_alg forward ${key} c633640913890000 63000 k3v9x0q2m1`,
      `add ip ftp_alg source ${key} c6336401 63000 `,
      `add ip ftp_alg once ${key}  61000 k3v9x0q2m1`,
    ])
  })

  it('say the port too where we call ourselves and it matters', () => {
    const call = { ...hole, forward: null, sourcePort: 20 }
    expect(shown(openHole(call, none))[0]).toBe(
      'add ip ftp_alg call 0a000005c00002019c410000 c633640100140000 63000 ',
    )
    expect(shown(sweepHole(call, none))).toEqual(['destroy ip ftp_alg call 0a000005c00002019c410000   '])
  })

  it('are told to the administrator’s set as a filter chain sees the packet', () => {
    expect(shown(openHole(hole, theirs)).at(-1)).toBe(
      'add inet filter ftp_data 0a000005c633640913890000  63000 k3v9x0q2m1',
    )
    const relayed = { ...hole, forward: null, source: null }
    expect(shown(openHole(relayed, theirs))).toEqual([
      'add ip ftp_alg once 0a000005c00002019c410000  61000 k3v9x0q2m1',
      'add inet filter ftp_data 0a000005c00002019c410000  63000 k3v9x0q2m1',
    ])
  })

  it('have addresses of sixteen bytes over IPv6, and another set of the administrator’s', () => {
    const six = {
      ...hole,
      peer: '2001:db8::5',
      at: { address: '2001:db8::1', port: 40_001 },
      forward: { address: '2001:db8:1::9', port: 5001 },
      source: null,
    }
    const changes = openHole(six, theirs)
    expect(changes.map(({ set }) => `${set.family} ${set.set}`)).toEqual(['ip6 forward', 'ip6 once'])
    expect(changes[0]?.key).toHaveLength(36)
    expect(changes[0]?.value).toHaveLength(20)
  })

  it('are all taken away again', () => {
    for (const each of [hole, { ...hole, source: null }, { ...hole, forward: null, source: null }]) {
      const added = openHole(each, theirs).map(({ set, key }) => [set, Buffer.from(key).toString('hex')])
      const removed = [doorOf(each, theirs), ...sweepHole(each, theirs)].map(({ set, key }) => [
        set,
        Buffer.from(key).toString('hex'),
      ])
      expect(removed).toHaveLength(added.length)
      expect(removed).toEqual(expect.arrayContaining(added))
    }
  })

  it('refuse what is not an address, whoever let it come so far', () => {
    expect(() => openHole({ ...hole, peer: '10.0.0.5 } ; flush ruleset' }, none)).toThrow('not an IP address')
  })
})

describe('our tables', () => {
  it('are replaced as a whole, in both families', () => {
    const rules = pinholeTables(0x51)
    expect(rules.match(/^(add|delete) table (ip|ip6) ftp_alg$/gm)).toEqual([
      'add table ip ftp_alg',
      'delete table ip ftp_alg',
      'add table ip6 ftp_alg',
      'delete table ip6 ftp_alg',
    ])
    expect(rules).not.toContain('0xf7')
    expect(rules.match(/ct mark (set )?0x51/g)).toHaveLength(14)
  })

  it('tell of connection attempts to the data ports that took no element, where somebody listens', () => {
    const strangers = {
      group: 30_000,
      ports: [
        { first: 30_000, last: 30_499 },
        { first: 31_000, last: 31_499 },
      ],
    }
    const rule = (everywhere: boolean) =>
      /^ +(tcp dport .*)$/m.exec(pinholeTables(0x51, { strangers: { ...strangers, everywhere } }))?.[1]
    const [before, after] = [
      'tcp dport { 30000-30499, 31000-31499 } tcp flags & (fin | syn | rst | ack) == syn ct mark != 0x51 iifname != "lo"',
      'limit rate 1000/second burst 1000 packets log group 30000 snaplen 128',
    ]
    expect(rule(true)).toBe(`${before} ${after}`)
    expect(rule(false)).toBe(`${before} fib daddr type local ${after}`)
    expect(pinholeTables(0x51)).not.toContain('log group')
  })

  it('have a name of their own for each process', () => {
    expect(pinholeTables(0xf7, { table: 'ftp_alg_30500' }).match(/^table \S+ \S+/gm)).toEqual([
      'table ip ftp_alg_30500',
      'table ip6 ftp_alg_30500',
    ])
    expect(pinholeSets('ftp_alg_30500')[6].once).toEqual({
      family: 'ip6',
      table: 'ftp_alg_30500',
      set: 'once',
    })
  })
})

describe('the name of a set', () => {
  it('is family, table and name, as nft writes it', () => {
    expect(parseSetName('inet filter ftp_data')).toEqual({ family: 'inet', table: 'filter', set: 'ftp_data' })
  })

  it.each(['filter ftp_data', 'arp t s', 'inet filter ftp data', 'inet filter {', 'inet  filter x', ''])(
    'is not %j',
    (text) => expect(parseSetName(text)).toBeNull(),
  )
})
