// The same conversation with a server directly and through the proxy: the client sees the same but for endpoints, and
// so does the server. Each is drawn from a number, which a failure names: DIALOGUE=7 runs that one
// alone, DIALOGUES=5000 runs many.

import { describe, expect } from 'vitest'
import {
  ABORTED,
  type Dialogue,
  type DialogueTransfer,
  drawDialogue,
  type Exchange,
  type Step,
} from '../support/dialogues.ts'
import { payload } from '../support/peers/payload.ts'
import { announced, type ScriptedClient } from '../support/peers/scripted-client.ts'
import type { Endpoint, Script, Visit } from '../support/peers/scripted-server.ts'
import type { Wire } from '../support/peers/wire.ts'
import { Random } from '../support/random.ts'
import { type Lab, test } from './lab.ts'

const dialoguesPerMode = Number(process.env.DIALOGUES ?? 120)
const only = process.env.DIALOGUE
const numbers =
  only === undefined ? Array.from({ length: dialoguesPerMode }, (_, number) => number) : [Number(only)]

// Nobody else's: whoever tries a port of another test that is closed by now must not find one of ours.
const serverAddress = '127.0.7.1'
const clientAddress = '127.0.7.2'

const dataVerbs = new Set(['PASV', 'EPSV', 'PORT', 'EPRT'])

describe.each(['client', 'passive', 'active'] as const)('with upstream mode %s', (upstreamMode) => {
  test('a client sees the same as without a proxy, but for endpoints', { timeout: 600_000 }, async ({
    lab,
  }) => {
    let dialogue = drawDialogue(new Random(0), { mayRefuse: false })
    const server = await lab.server((visit) => play(dialogue)(visit), { host: serverAddress })
    const proxy = await lab.proxy(server, { upstreamMode, limits: { refusals: 1000 } })
    for (const number of numbers) {
      // A conversion asks with another verb, and what it hears is not for the client.
      const isFaithful = upstreamMode === 'client'
      dialogue = drawDialogue(new Random(number), { mayRefuse: isFaithful })
      const stops = (where: string) => (error: unknown) => {
        throw new Error(
          `dialogue ${number} stops ${where}: ${error instanceof Error ? error.message : error}`,
        )
      }
      const direct = await converse(lab, server, dialogue).catch(stops('without a proxy'))
      const through = await converse(lab, proxy, dialogue).catch(stops('through the proxy'))
      const [directVisit, visit] = server.visits.slice(-2)
      const view = isFaithful ? (line: string) => line : codeOfAnnouncement
      expect(through.map(view), `dialogue ${number}`).toEqual(direct.map(view))
      const heard = ({ lines = [] }: Partial<Visit> = {}) =>
        lines.filter((line) => isFaithful || !isDataVerb(line)).map(withoutEndpoint)
      expect(heard(visit), `dialogue ${number}, at the server`).toEqual(heard(directVisit))
    }
    expect(server.failures).toEqual([])
  })
})

/** What the client sees, one string for each thing, without endpoints. */
async function converse(lab: Lab, at: Endpoint, dialogue: Dialogue): Promise<readonly string[]> {
  const client = await lab.client(at, clientAddress)
  const seen: string[] = [await client.wire.readBytes(dialogue.greeting.length)]
  let opening: (() => Promise<Wire>) | null = null
  for (const step of dialogue.steps) {
    if (step.type === 'talk') seen.push(await talk(client, step.exchanges))
    else if (step.type === 'announce') opening = await announce({ client, at, step, seen })
    else if (opening !== null) await transfer({ client, step, seen, opening })
  }
  await client.send('QUIT')
  // Whatever was said beyond what was due stands here.
  seen.push(await client.wire.readRest(), String(client.wire.ending))
  client.close()
  return seen
}

async function talk(client: ScriptedClient, exchanges: readonly Exchange[]): Promise<string> {
  void client.wire.send(exchanges.map(({ line }) => `${line}\r\n`).join(''))
  return client.wire.readBytes(lengthOf(exchanges))
}

async function announce({
  client,
  at,
  step,
  seen,
}: {
  client: ScriptedClient
  at: Endpoint
  step: Step & { type: 'announce' }
  seen: string[]
}): Promise<() => Promise<Wire>> {
  const { verb } = step
  if (verb === 'PORT' || verb === 'EPRT') {
    const door = await client.openDoor(verb)
    seen.push((await client.command(door.announcement)).text)
    return () => door.accept()
  }
  const { text, line } = await client.command(verb)
  seen.push(withoutEndpoint(text))
  const endpoint = announced(line, at.address)
  return () => {
    if (endpoint === null) throw new Error(`no endpoint in ${line}`)
    return client.connectData(endpoint)
  }
}

async function transfer({
  client,
  step,
  seen,
  opening,
}: {
  client: ScriptedClient
  step: DialogueTransfer
  seen: string[]
  opening: () => Promise<Wire>
}): Promise<void> {
  await client.send(step.line)
  if (step.preliminary === null) {
    seen.push(await client.wire.readBytes(step.final.length))
    return
  }
  seen.push(await client.wire.readBytes(step.preliminary.length))
  const data = await opening()
  for (const exchange of step.asides) seen.push(await talk(client, [exchange]))
  if (step.isAborted) {
    await client.send('ABOR')
    seen.push(await client.wire.readBytes(step.final.length + ABORTED.length))
    data.close()
    return
  }
  const collecting = data.collect()
  if (step.isUpload) {
    if (step.size > 0) await data.send(payload(step.size))
    data.halfClose()
  }
  const { byteCount, sha256, ending } = await collecting
  data.halfClose()
  seen.push(`${byteCount} bytes, ${sha256}, ${ending}`, await client.wire.readBytes(step.final.length))
}

/** The server of this dialogue. */
function play(dialogue: Dialogue): Script {
  return async (visit) => {
    const steps = dialogue.steps.flatMap((step): readonly (Exchange | Exclude<Step, { type: 'talk' }>)[] =>
      step.type === 'talk' ? step.exchanges : [step],
    )
    const announcements = steps.filter((step) => 'type' in step && step.type === 'announce')
    const others = steps.filter((step) => !('type' in step && step.type === 'announce'))
    await visit.wire.send(dialogue.greeting)
    for (;;) {
      const command = await visit.nextCommand()
      if (command === null) break
      if (dataVerbs.has(command.verb)) {
        const step = announcements.shift()
        if (step !== undefined && 'type' in step && step.type === 'announce')
          await answer(visit, command, step)
        continue
      }
      const next = others.shift()
      if (next === undefined) {
        await visit.wire.send(dialogue.goodbye)
        break
      }
      if ('answer' in next) await visit.wire.send(next.answer)
      else if (next.type === 'transfer') await serve(visit, next)
    }
    visit.closeDoor()
    visit.wire.halfClose()
  }
}

async function answer(
  visit: Visit,
  { verb, argument }: { verb: string; argument: string },
  { refusal, wording }: Step & { type: 'announce' },
): Promise<void> {
  if (refusal !== null) {
    await visit.wire.send(refusal)
  } else if (verb === 'PASV') {
    const port = await visit.listen()
    visit.reply(`227 ${wording} (${visit.at.address.replaceAll('.', ',')},${port >> 8},${port & 255}).`)
  } else if (verb === 'EPSV') {
    visit.reply(`229 ${wording} (|||${await visit.listen()}|)`)
  } else {
    const [a, b, c, d, high = 0, low = 0] = argument.split(',').map(Number)
    const [, , address = '', port] = argument.split('|')
    const isOld = verb === 'PORT'
    visit.target(
      isOld ? { address: `${a}.${b}.${c}.${d}`, port: high * 256 + low } : { address, port: Number(port) },
    )
    visit.reply(`200 ${wording}`)
  }
}

async function serve(visit: Visit, step: DialogueTransfer): Promise<void> {
  if (step.preliminary === null) {
    await visit.wire.send(step.final)
    return
  }
  await visit.wire.send(step.preliminary)
  const data = await visit.data()
  for (const { answer } of step.asides) {
    await visit.nextCommand()
    await visit.wire.send(answer)
  }
  if (step.isAborted) {
    await visit.nextCommand()
    data.reset()
    await visit.wire.send(step.final + ABORTED)
    return
  }
  const collecting = data.collect()
  if (!step.isUpload) {
    if (step.size > 0) await data.send(payload(step.size))
    data.halfClose()
  }
  const { byteCount, sha256, ending } = await collecting
  data.halfClose()
  // So that it is compared with what came directly.
  visit.lines.push(`${byteCount} bytes, ${sha256}, ${ending}`)
  await visit.wire.send(step.final)
}

function lengthOf(exchanges: readonly Exchange[]): number {
  return exchanges.reduce((total, { answer }) => total + answer.length, 0)
}

function isDataVerb(line: string): boolean {
  return dataVerbs.has(line.replace(/ .*/s, ''))
}

/** `227 Passive (127,0,0,1,160,12).` gives `227 Passive (#).` */
function withoutEndpoint(text: string): string {
  return text
    .replace(/(\d+,){5}\d+/, '#')
    .replace(/^(229 .*\(\|\|\|)\d+\|/, '$1#|')
    .replace(/^(EPRT ).*/, '$1#')
}

/** Of a conversion the client hears our words. */
function codeOfAnnouncement(text: string): string {
  return /^(227|229|200) /.test(text) ? text.slice(0, 3) : text
}
