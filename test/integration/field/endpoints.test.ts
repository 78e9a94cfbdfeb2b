// How servers name their endpoints in the field, and what clients make of it. The numbers are those of the dialogues in
// docs/field.md.

import { describe, expect } from 'vitest'
import { ftpScript, type Verb } from '../../support/peers/ftp-script.ts'
import { hasLibc } from '../../support/peers/kernel.ts'
import type { Script } from '../../support/peers/scripted-server.ts'
import { type Lab, test } from '../lab.ts'
import type { ProxyPlan } from '../proxy-under-test.ts'

async function through(lab: Lab, script: Script, plan: ProxyPlan = {}) {
  const server = await lab.server(script)
  const proxy = await lab.proxy(server, plan)
  return { server, proxy, client: await (await lab.client(proxy)).login() }
}

/** A server that does not know this verb. */
const refused: Verb = (visit) => visit.reply('500 Unknown command.')

/** PASV whose 227 is written in a way of its own. */
const pasv =
  (write: (host: readonly string[], high: number, low: number) => string): Verb =>
  async (visit) => {
    const port = await visit.listen()
    visit.reply(write(visit.at.address.split('.'), port >> 8, port & 255))
  }

describe.concurrent('01: blanks in a 227', () => {
  const writings = {
    'after each comma': pasv((host, high, low) => `227 Passive (${[...host, high, low].join(', ')})`),
    'tabs after each comma': pasv((host, high, low) => `227 Passive (${[...host, high, low].join(',\t')})`),
    'after the parenthesis': pasv((host, high, low) => `227 Passive ( ${[...host, high, low].join(',')})`),
  }
  for (const [where, PASV] of Object.entries(writings)) {
    for (const upstreamMode of ['client', 'passive'] as const) {
      test(`${where}, upstream mode ${upstreamMode}`, async ({ lab }) => {
        const { client } = await through(lab, ftpScript({ verbs: { PASV, EPSV: refused } }), { upstreamMode })
        const verb = upstreamMode === 'client' ? 'PASV' : 'EPRT'
        expect((await client.download('RETR 100', verb)).codes).toEqual([150, 226])
      })
    }
  }
})

describe.concurrent('02: an answer to EPSV that cannot be used', () => {
  const answers: readonly ((host: string, port: number) => string)[] = [
    (host, port) => `227 Passive (${host.replaceAll('.', ',')},${port >> 8},${port & 255})`,
    (host, port) => `229 Passive (|1|${host}|${port}|)`,
    (_host, port) => `229 Passive (||${port}|)`,
    (_host, port) => `229 Passive (|||${port})`,
    () => '229 Passive',
  ]
  for (const write of answers) {
    test(`is used for what it says, or PASV is: ${write('192.0.2.1', 51_210)}`, async ({ lab }) => {
      const EPSV: Verb = async (visit) => visit.reply(write(visit.at.address, await visit.listen()))
      const { client } = await through(lab, ftpScript({ verbs: { EPSV } }), { upstreamMode: 'passive' })
      expect((await client.download('RETR 100', 'EPRT')).codes).toEqual([150, 226])
    })
  }
})

describe.concurrent('16: a port that nobody can reach', () => {
  test('is not announced: EPSV is refused where PASV would work, and the client falls back', async ({
    lab,
  }) => {
    const closed = await lab.server(ftpScript())
    closed.close()
    const EPSV: Verb = (visit) => visit.reply(`229 Passive (|||${closed.port}|)`)
    const { client } = await through(lab, ftpScript({ verbs: { EPSV } }))
    // A refusal that makes clients ask for PASV.
    expect((await client.command('EPSV')).code).toBe(522)
    expect((await client.download('RETR 100', 'PASV')).codes).toEqual([150, 226])
  })

  test('whether it refuses or swallows, in every conversion to passive', async ({ lab, skip }) => {
    skip(!hasLibc, 'a port that never answers needs koffi')
    const hole = await lab.blackHole()
    const EPSV: Verb = (visit) => visit.reply(`229 Passive (|||${hole.port}|)`)
    const { client, server } = await through(lab, ftpScript({ verbs: { EPSV } }), {
      upstreamMode: 'passive',
      limits: { connectMs: 1000 },
    })
    expect((await client.download('RETR 100', 'EPRT')).codes).toEqual([150, 226])
    expect((await client.download('RETR 100', 'PORT')).codes).toEqual([150, 226])
    // Learned for this upstream: EPSV is not tried again.
    expect(server.visits[0]?.lines.filter((line) => line === 'EPSV')).toHaveLength(1)
  })
})

describe.concurrent('20: what one session learned', () => {
  test('does not change what the next client says: verb by verb, byte by byte', async ({ lab }) => {
    let refusals = 1
    const EPSV: Verb = async (visit) => {
      if (refusals > 0) {
        refusals -= 1
        visit.reply('500 Not now.')
        return
      }
      visit.reply(`229 Passive (|||${await visit.listen()}|)`)
    }
    const { client, server, proxy } = await through(lab, ftpScript({ verbs: { EPSV } }))
    expect((await client.command('EPSV')).line).toBe('500 Not now.')
    const next = await (await lab.client(proxy)).login()
    expect((await next.download('RETR 100', 'EPSV')).codes).toEqual([150, 226])
    expect(server.visits[1]?.lines.slice(2)).toEqual(['EPSV', 'RETR 100'])
  })
})
