import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { ephemeralPart, readEphemeralPorts } from '../../../src/config/kernel-ports.ts'

const directory = mkdtempSync(join(tmpdir(), 'ftp-alg-sysctl-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

test('the kernel’s settings are read as it writes them', () => {
  writeFileSync(join(directory, 'ip_local_port_range'), '32768\t60999\n')
  writeFileSync(join(directory, 'ip_local_reserved_ports'), '33000-33999,40000\n')
  expect(readEphemeralPorts(directory)).toEqual({
    range: { first: 32_768, last: 60_999 },
    reserved: [
      { first: 33_000, last: 33_999 },
      { first: 40_000, last: 40_000 },
    ],
  })
  writeFileSync(join(directory, 'ip_local_reserved_ports'), '\n')
  expect(readEphemeralPorts(directory)?.reserved).toEqual([])
})

test('a system without such settings has none', () => {
  expect(readEphemeralPorts(join(directory, 'missing'))).toBeNull()
})

test('this system’s own settings are a range where it has them', (context) => {
  const ports = readEphemeralPorts()
  if (ports === null) context.skip('this system has no /proc/sys/net/ipv4/ip_local_port_range')
  expect(ports?.range.first).toBeGreaterThan(0)
  expect(ports?.range.last).toBeLessThan(65_536)
})

test('ports are at risk until every one of them is reserved', () => {
  const range = { first: 32_768, last: 60_999 }
  const ours = { first: 32_000, last: 33_999 }
  const shared = { first: 32_768, last: 33_999 }
  expect(ephemeralPart(ours, { range, reserved: [] })).toEqual(shared)
  expect(ephemeralPart(ours, { range, reserved: [{ first: 32_768, last: 33_998 }] })).toEqual(shared)
  expect(
    ephemeralPart(ours, {
      range,
      reserved: [
        { first: 33_000, last: 34_000 },
        { first: 32_768, last: 32_999 },
      ],
    }),
  ).toBeNull()
  expect(ephemeralPart({ first: 30_000, last: 30_999 }, { range, reserved: [] })).toBeNull()
})
