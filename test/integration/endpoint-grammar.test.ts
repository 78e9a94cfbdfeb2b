// What servers might answer to PASV and EPSV, well-formed or not: whatever it is taken for, the client hears no address and no
// port of the server, and what it is told works. DIALOGUES=5000 tries more.

import { expect, test } from 'vitest'
import { loopback } from '../chaos/ground.ts'
import { startLane } from '../chaos/lane.ts'
import { upstreamModes } from '../chaos/plan.ts'
import { ftpScript } from '../support/peers/ftp-script.ts'
import { payloadSha256 } from '../support/peers/payload.ts'
import { announced, receive, ScriptedClient } from '../support/peers/scripted-client.ts'
import { type Endpoint, startScriptedServer, type Visit } from '../support/peers/scripted-server.ts'
import { Random } from '../support/random.ts'

const rounds = Number(process.env.DIALOGUES ?? 300)
const server = loopback.server

if (process.platform !== 'linux')
  console.log('endpoint grammar: skipped, the built proxy is started with setpriv of Linux')

test.skipIf(process.platform !== 'linux')(
  'no address of a server reaches a client, whatever its 227 or 229 looks like',
  {
    timeout: 600_000,
  },
  async () => {
    let random = new Random(0)
    /** What the server has named. */
    let named: readonly number[] = []
    const answer = async (visit: Visit) => {
      const port = await visit.listen()
      named = [...named, port]
      for (const piece of draw(random, { address: server, port })) await visit.wire.send(piece)
    }
    const upstream = await startScriptedServer({
      script: ftpScript({ verbs: { PASV: answer, EPSV: answer } }),
      host: server,
    })
    const proxy = await startLane(
      {
        name: 'grammar',
        ground: loopback,
        address: '127.0.0.1',
        more: '',
        backend: 'relay',
        env: {},
        excuse: () => null,
        leftovers: () => [],
      },
      upstream,
    )
    const seen = { usable: 0, refused: 0, whole: 0 }
    try {
      for (let round = 0; round < rounds; round += 1) {
        random = new Random(round)
        named = []
        const at = proxy.at(random.oneOf(upstreamModes))
        const verb = random.oneOf(['PASV', 'EPSV'])
        const client = await (await ScriptedClient.connect(at)).login()
        const { line, text } = await client.command(verb)
        const endpoint = announced(line, at.address)
        if (/^[45]/.test(line)) {
          seen.refused += 1
        } else if (endpoint === null) {
          // Ours in the server's own odd form, such as (###40001#): there is no more to it than its digits.
          expect(line, `round ${round}`).toMatch(/^22[79] /)
        } else {
          seen.usable += 1
          void client.send('RETR 777')
          const { sha256 } = await receive(await client.connectData(endpoint))
          // A server that was asked twice, or named another port than its own, may have nothing there.
          if (sha256 === payloadSha256(777)) seen.whole += 1
        }
        await client.send('QUIT')
        const heard = text + (await client.wire.readRest())
        for (const digits of digitsOf(named)) expect(heard, `round ${round}`).not.toMatch(digits)
        client.close()
      }
      console.log(
        `endpoint grammar: ${seen.usable} answers were usable, ${seen.whole} files came, ${seen.refused} answers were refused`,
      )
      expect(Math.min(seen.whole, seen.refused)).toBeGreaterThan(0)
      expect(await proxy.remains()).toEqual([])
      await proxy.stop()
    } finally {
      upstream.close()
      await proxy.kill()
    }
  },
)

/** The address and the ports, as they would stand in a 227, a 229 or in plain words. */
function digitsOf(ports: readonly number[]): readonly RegExp[] {
  const numbers = server.split('.').join('[,. ]+0*')
  return [
    new RegExp(numbers),
    ...ports.map((port) => new RegExp(`\\b0*${port >> 8}\\s*,\\s*0*${port & 255}\\b|\\b${port}\\b`)),
  ]
}

/** The pieces of an answer. Every line begins as a 227 or 229 does. */
function draw(random: Random, { address, port }: Endpoint): readonly string[] {
  const answers = Array.from({ length: random.chance(15) ? 2 : 1 }, () =>
    drawAnswer(random, { address, port }),
  )
  const text = answers.join('')
  const cut = random.chance(40) ? random.below(text.length) : 0
  return cut === 0 ? [text] : [text.slice(0, cut), text.slice(cut)]
}

function drawAnswer(random: Random, { address, port }: Endpoint): string {
  const end = random.chance(10) ? '\n' : '\r\n'
  const code = random.oneOf([227, 229])
  const body = random.chance(50)
    ? drawOld(random, { address, port })
    : drawExtended(random, { address, port })
  const words = random.oneOf(['Entering Passive Mode ', '', '=', 'ok: ', 'Passive mode 1,2 '])
  const line = `${words}${body}${random.oneOf(['', '.', ' ', ' go'])}${end}`
  return random.chance(15)
    ? `${code}-${line}${code}${random.chance(50) ? ` ${line}` : ` End${end}`}`
    : `${code} ${line}`
}

function drawOld(random: Random, { address, port }: Endpoint): string {
  const comma = random.oneOf([',', ',', ',', ', ', ' ,', ',\t', '.'])
  const zero = random.chance(10) ? '0' : ''
  const numbers = [...address.split('.').map(Number), port >> 8, port & 255]
  if (random.chance(10)) numbers.push(7)
  if (random.chance(10)) numbers.splice(random.below(numbers.length), 1)
  if (random.chance(10)) numbers[random.below(numbers.length)] = 256 + random.below(100)
  const [open, close] = random.oneOf<readonly [string, string]>([
    ['(', ')'],
    ['(', ')'],
    ['', ''],
    ['( ', ' )'],
    ['[', ']'],
    ['((', ')'],
    ['(', ''],
  ])
  return open + numbers.map((number) => `${zero}${number}`).join(comma) + close
}

function drawExtended(random: Random, { address, port }: Endpoint): string {
  const bar = random.oneOf(['|', '|', '|', '!', '#', ' '])
  const inner = random.oneOf<readonly string[]>([
    ['', '', ''],
    ['', '', ''],
    ['', '1', address],
    ['', '', address],
    ['', ''],
  ])
  const [open, close] = random.oneOf<readonly [string, string]>([
    ['(', ')'],
    ['(', ')'],
    ['', ''],
    ['( ', ' )'],
    ['(', ''],
  ])
  return `${open}${inner.join(bar)}${bar}${port}${random.chance(85) ? bar : ''}${close}`
}
