import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { type ExplainRequest, explain } from '../../../src/cli/explain.ts'
import { configOf } from '../config/sources.ts'

const page = readFileSync(new URL('../../../docs/routing.md', import.meta.url), 'utf8')
const [routed = '', forward = ''] = [...page.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, text = '']) => text)

function ask(
  yaml: string,
  said: Partial<ExplainRequest>,
): { readonly text: string; readonly exitCode: number } {
  let text = ''
  const nothing = {
    client: '192.0.2.9',
    user: undefined,
    sni: undefined,
    host: undefined,
    listener: undefined,
  }
  const stdout = { write: (more: string) => (text += more) }
  const exitCode = explain(configOf(yaml), { ...nothing, ...said, stdout })
  return { text, exitCode }
}

describe('explain', () => {
  test('says what docs/routing.md shows', () => {
    const shown = /^\$ ftp-alg explain .* --user partner-7\n(.*?)^```$/ms.exec(page)?.[1]
    expect(ask(routed, { user: 'partner-7' })).toEqual({ text: shown, exitCode: 0 })
  })

  test.each([
    [{ client: '10.1.2.3' }, 0, 'route lan: yes, clients 10.1.0.0/16 has 10.1.2.3\n  pool inner'],
    [
      {},
      1,
      'route partners: perhaps, user is partner-* and none is given\n  not decided: name a user with --user',
    ],
    [{ user: 'joe' }, 0, 'upstream of the listener: yes, no route matches\n  pool inner'],
    [{ user: 'joe', sni: 'Archive.example.net' }, 0, 'server archive.internal port 21'],
    [{ user: 'joe', host: 'a.example.net' }, 0, 'route virtual: yes, host *.example.net has a.example.net'],
    [{ user: 'joe', sni: 'a.net', host: 'b.net' }, 1, 'refused: HOST names another host than TLS (504)'],
  ])('%j', (said, exitCode, text) => {
    const answer = ask(routed, said)
    expect(answer.text).toContain(text)
    expect(answer.exitCode).toBe(exitCode)
  })

  test.each([
    [{ user: 'joe@ftp.partner.example' }, 1, 'refused: login.clients are 10.0.0.0/8 (421)'],
    [
      { client: '10.0.0.1', user: 'joe@ftp.partner.example' },
      0,
      'server ftp.partner.example port 21, user joe, unless it resolves',
    ],
    [
      { client: '10.0.0.1', user: 'joe@127.0.0.1' },
      1,
      'refused: 127.0.0.1 port 21 is no destination, which are *.partner.example:21',
    ],
    [{ client: '10.0.0.1', user: 'joe' }, 1, 'not decided: name a user and a server'],
  ])('a forward proxy: %j', (said, exitCode, text) => {
    const answer = ask(forward, said)
    expect(answer.text).toContain(text)
    expect(answer.exitCode).toBe(exitCode)
  })

  test('a listener without routes has one server, an intercepted client its own', () => {
    expect(ask('listeners: [{ upstream: ftp.example.net }]', {}).text).toBe(
      'listener default (0.0.0.0 port 2121)\n  server ftp.example.net port 21\n',
    )
    expect(ask('listeners: [{ intercept: redirect }]', {}).text).toContain('the server that the client meant')
  })

  test('refuses what is no address, and a listener that is none', () => {
    expect(() => ask(routed, { client: 'joe' })).toThrow('--client is not an IP address (given joe)')
    expect(() => ask(routed, { listener: 'edge' })).toThrow('--listener is none of public (given edge)')
  })
})
