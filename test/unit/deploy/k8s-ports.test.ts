import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { type K8sPortsRequest, k8sPorts } from '../../../src/cli/k8s-ports.ts'

const folder = mkdtempSync(join(tmpdir(), 'ftp-alg-k8s-ports-'))
afterAll(() => rmSync(folder, { recursive: true }))

async function print(request: Partial<K8sPortsRequest>) {
  let output = ''
  let warnings = ''
  await k8sPorts({
    range: undefined,
    service: undefined,
    nodePorts: false,
    sources: { flags: {}, environment: {} },
    stdout: { write: (text) => (output += text) },
    stderr: { write: (text) => (warnings += text) },
    ...request,
  })
  return { output, warnings }
}

function configFile(text: string): string {
  const file = join(folder, 'config.yaml')
  writeFileSync(file, text)
  return file
}

describe('k8s-ports', () => {
  it('prints one entry a port', async () => {
    expect((await print({ range: '30000-30001' })).output).toBe(
      'ports:\n' +
        '  - { name: data-30000, port: 30000, targetPort: 30000, protocol: TCP }\n' +
        '  - { name: data-30001, port: 30001, targetPort: 30001, protocol: TCP }\n',
    )
  })

  it('prints a Service that a strategic merge takes', async () => {
    const { output } = await print({ range: '30000-30000', service: 'ftp-alg', nodePorts: true })
    expect(parse(output)).toEqual({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'ftp-alg' },
      spec: {
        ports: [{ name: 'data-30000', port: 30000, targetPort: 30000, nodePort: 30000, protocol: 'TCP' }],
      },
    })
  })

  it('takes what clients connect to from a configuration: announced outside, listened inside', async () => {
    const config = configFile(
      'listeners: [{ upstream: ftp.internal }]\ndataPorts:\n  client: { listen: 30000-30001, announce: 40000-40001 }\n  server: 31000-31001\n',
    )
    const { output } = await print({ sources: { flags: { config }, environment: {} } })
    expect(parse(output).ports).toEqual([
      { name: 'data-40000', port: 40000, targetPort: 30000, protocol: 'TCP' },
      { name: 'data-40001', port: 40001, targetPort: 30001, protocol: 'TCP' },
    ])
  })

  it('prints the slice of one pod', async () => {
    const config = configFile('listeners: [{ upstream: ftp.internal }]\ndataPorts: 30000-30003\n')
    const environment = { FTP_ALG_SLICE_INDEX: '1', FTP_ALG_SLICE_OF: '2' }
    const { output } = await print({ sources: { flags: { config }, environment } })
    expect(parse(output).ports.map(({ port }: { port: number }) => port)).toEqual([30002, 30003])
  })

  it('warns of node ports that a cluster usually refuses', async () => {
    const usual = await print({ range: '30000-32767', nodePorts: true })
    expect(usual.warnings).toBe('')
    const unusual = await print({ range: '40000-40001', nodePorts: true })
    expect(unusual.warnings).toBe(
      'warning: 40000-40001 is outside the usual node ports of a cluster, 30000-32767\n',
    )
    expect((await print({ range: '40000-40001' })).warnings).toBe('')
  })

  it.each([
    ['30000', '--range: is not a range of ports (given 30000, allowed FIRST-LAST'],
    ['30001-30000', '--range: ends before it begins (given 30001-30000'],
    ['1-70000', '--range: has a port above 65535 (given 1-70000'],
  ])('refuses the range %s', async (range, message) => {
    await expect(print({ range })).rejects.toThrow(message)
  })

  it.each(['Ftp', 'a b', 'x\ny', '-a', ''])('refuses the name %j', async (service) => {
    await expect(print({ range: '30000-30001', service })).rejects.toThrow('--service: is not a name')
  })
})
