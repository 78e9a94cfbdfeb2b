import { expect } from 'vitest'
import { ftpScript } from '../support/peers/ftp-script.ts'
import { KiB, MiB, payload, payloadSha256 } from '../support/peers/payload.ts'
import type { DataVerb } from '../support/peers/scripted-client.ts'
import type { Collected } from '../support/peers/wire.ts'
import { type Lab, test } from './lab.ts'

interface Combination {
  readonly verb: DataVerb
  readonly upstreamMode: 'client' | 'passive' | 'active'
  readonly client: string
  readonly server: string
}

const addresses = ['127.0.0.1', '::1'] as const
const modes = ['client', 'passive', 'active'] as const
const verbs = ['PASV', 'EPSV', 'PORT', 'EPRT'] as const
const sizes = [0, 1, 64 * KiB + 1]

/** Every verb, mode and family that FTP allows: PASV and PORT cannot carry IPv6. */
const combinations: readonly Combination[] = addresses.flatMap((client) =>
  addresses.flatMap((server) =>
    modes.flatMap((upstreamMode) =>
      verbs
        .filter((verb) => client === '127.0.0.1' || verb.startsWith('E'))
        .map((verb) => ({ verb, upstreamMode, client, server })),
    ),
  ),
)

async function sessionThrough(lab: Lab, { upstreamMode, client: listen, server: host }: Combination) {
  const uploads = new Map<string, Collected>()
  const server = await lab.server(ftpScript({ uploads }), { host })
  const proxy = await lab.proxy(server, { listen, upstreamMode })
  const client = await (await lab.client(proxy)).login()
  return { uploads, server, proxy, client }
}

for (const combination of combinations) {
  const { verb, upstreamMode, client: listen, server: host } = combination
  const name = `${verb}, upstream mode ${upstreamMode}, client ${listen}, server ${host}`

  test(`small files go both ways: ${name}`, async ({ lab }) => {
    const { uploads, server, client } = await sessionThrough(lab, combination)
    for (const size of sizes) {
      const { data, codes } = await client.download(`RETR ${size}`, verb)
      expect(codes).toEqual([150, 226])
      expect(data).toEqual({ byteCount: size, sha256: payloadSha256(size), ending: 'fin' })

      const { codes: uploadCodes } = await client.upload(`STOR up${size}`, payload(size), verb)
      expect(uploadCodes).toEqual([150, 226])
      const stored = { byteCount: size, sha256: payloadSha256(size), ending: 'fin' }
      expect(uploads.get(`up${size}`)).toEqual(stored)
    }
    const asked = new Set(server.visits[0]?.lines.map((line) => line.split(' ')[0]))
    const isActive = upstreamMode === 'active' || (upstreamMode === 'client' && /^(PORT|EPRT)$/.test(verb))
    expect(asked.has('PASV') || asked.has('EPSV')).toBe(!isActive)
    expect(asked.has('PORT') || asked.has('EPRT')).toBe(isActive)
    expect(server.failures).toEqual([])
  })
}

for (const combination of combinations.filter(isWorthBulk)) {
  const { verb, upstreamMode, client: listen, server: host } = combination

  test(`20 MiB go both ways: ${verb}, upstream mode ${upstreamMode}, client ${listen}, server ${host}`, async ({
    lab,
  }) => {
    const { uploads, proxy, client } = await sessionThrough(lab, combination)
    const size = 20 * MiB
    const { data } = await client.download(`RETR ${size}`, verb)
    expect(data).toEqual({ byteCount: size, sha256: payloadSha256(size), ending: 'fin' })
    await client.upload('STOR big', payload(size), verb)
    expect(uploads.get('big')).toEqual({ byteCount: size, sha256: payloadSha256(size), ending: 'fin' })
    await expect.poll(() => proxy.listener.upload_bytes).toBe(size)
    await expect.poll(() => proxy.listener.download_bytes).toBe(size)
  })
}

/** The legs are the same for the old verbs and the new, and for either family. */
function isWorthBulk({ verb, client, server }: Combination): boolean {
  return verb.startsWith('E') && (client === server ? client === '127.0.0.1' : client === '::1')
}
