// The process dies, stops or starts again while the kernel moves bytes for it.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { debianRootMissing } from '../../support/debian.ts'
import type { Wire } from '../../support/peers/wire.ts'
import { type RunningProxy, startProxy } from '../../support/proxy.ts'
import { sha256Of } from '../../support/samples.ts'
import { Dialogue } from './lab/dialogue.ts'
import { EdgeLab } from './lab/edge-lab.ts'
import { dropByDefault } from './lab/rules.ts'
import { connectWire } from './lab/sockets.ts'
import { configurationOf, nameOf, variants } from './lab/variants.ts'

const missing = debianRootMissing('survival of transfers in the kernel')

/** The kernel keeps elements 3 s longer than the pinhole is meant to wait. */
const TIMEOUT_S = 2
const KERNEL_TIMEOUT_MS = 5_000
const PATIENCE = { timeout: 15_000, interval: 50 }

const inKernel = variants.filter(({ backend }) => backend === 'nftables')

describe.skipIf(missing !== null)('transfers in the kernel', () => {
  let lab: EdgeLab
  let proxy: RunningProxy
  const open: { close(): void }[] = []

  beforeAll(async () => {
    lab = await EdgeLab.create({ servers: ['vsftpd'] })
    await lab.network.gateway.firewall(dropByDefault())
  })

  afterAll(() => lab?.close())

  describe.each(inKernel.map((variant) => [nameOf(variant), variant] as const))('%s', (_name, variant) => {
    const config = configurationOf(variant).replace('pinholes: {', `pinholes: { timeout: ${TIMEOUT_S}s,`)

    const start = () => startProxy({ place: lab.network.gateway, config })

    beforeAll(async () => {
      expect(await lab.command(['firewall', '--apply'], config)).toMatchObject({ exitCode: 0 })
    })

    beforeEach(async () => {
      proxy = await start()
    })

    afterEach(async () => {
      for (const each of open.splice(0)) each.close()
      await proxy.kill()
    })

    afterAll(() => lab.command(['firewall', '--remove'], config))

    async function logIn(): Promise<Dialogue> {
      const dialogue = await Dialogue.begin(lab.network.host('client'), {
        address: lab.address('vsftpd'),
        port: 21,
      })
      open.push(dialogue)
      return dialogue
    }

    /** A transfer that stands still because nobody reads, or writes on. */
    async function begin(command: string, session?: Dialogue): Promise<{ dialogue: Dialogue; data: Wire }> {
      const dialogue = session ?? (await logIn())
      const data = await dialogue.connectData(await dialogue.passive('ipv4'))
      await dialogue.say(command, 150)
      open.push(data)
      return { dialogue, data }
    }

    const download = (session?: Dialogue) => begin(`RETR files/${lab.samples.large.name}`, session)

    async function forwards(count: number): Promise<void> {
      await expect
        .poll(async () => {
          const active = /^ftp_alg_data_connections_active\{.*path="kernel"\} (\d+)$/gm
          const values = [...(await proxy.metrics()).matchAll(active)]
          return values.reduce((total, [, value]) => total + Number(value), 0)
        }, PATIENCE)
        .toBe(count)
    }

    async function isComplete(data: Wire): Promise<void> {
      const { large } = lab.samples
      expect(await data.collect({ ms: 60_000 })).toEqual({
        byteCount: large.bytes,
        sha256: large.sha256,
        ending: 'fin',
      })
    }

    it('go on after kill -9, pinholes vanish by themselves, a restart starts clean', async () => {
      const { middle } = lab.samples
      const [first, second, upload] = [await download(), await download(), await begin('STOR kept.bin')]
      await forwards(3)
      const waiting = await logIn()
      await waiting.passive('ipv4')
      expect(await lab.elements()).not.toEqual([])
      const startedMs = performance.now()
      proxy.signal('SIGKILL')
      await proxy.kill()

      await isComplete(first.data)
      await upload.data.send(await readFile(join(lab.samples.folder, middle.name)))
      upload.data.halfClose()
      await expect
        .poll(() => sha256Of(join(lab.server('vsftpd').home, 'kept.bin')), PATIENCE)
        .toBe(middle.sha256)
      await expect.poll(() => lab.elements(), PATIENCE).toEqual([])
      expect(performance.now() - startedMs).toBeLessThan(KERNEL_TIMEOUT_MS + 20_000)

      proxy = await start()
      await (await logIn()).passive('ipv4')
      expect(await lab.elements()).not.toEqual([])
      await proxy.kill()
      proxy = await start()
      expect(await lab.elements()).toEqual([])
      // Through both restarts.
      await isComplete(second.data)
      const fresh = await download()
      await isComplete(fresh.data)
    })

    /** A client whose wrong password vsftpd has heard: it takes a second to say so. */
    async function misspelled(): Promise<Wire> {
      const to = { address: lab.address('vsftpd'), port: 21 }
      const wire = await connectWire({ in: lab.network.host('client'), to })
      open.push(wire)
      expect((await wire.readReply()).code).toBe(220)
      for (const line of ['USER nobody', 'PASS wrong']) await wire.send(`${line}\r\n`)
      expect((await wire.readReply()).code).toBe(331)
      return wire
    }

    if (variant.intercept === 'redirect') {
      it('begin in the same sessions when somebody has emptied conntrack’s table: it is told of them again', async () => {
        const [asking, answered] = [await logIn(), await misspelled()]
        // An acknowledgement that was under way would bring a connection back.
        await expect.poll(() => lab.forgetControl(), PATIENCE).toBe(0)
        const told = /^ftp_alg_translations_forgotten_total\{.*result="restored"\} 2$/m
        await expect.poll(() => proxy.metrics(), PATIENCE).toMatch(told)
        // Nobody else has the first word here: the server’s, then ours.
        expect((await answered.readReply()).code).toBe(530)
        await answered.send('USER nobody\r\n')
        expect((await answered.readReply()).code).toBe(331)
        const { data } = await download(asking)
        await isComplete(data)
        data.halfClose()
        await asking.expect(226)
      })
    }

    if (variant.intercept === 'tproxy') {
      it('begin in the same sessions when somebody has emptied conntrack’s table', async () => {
        const [asking, answered] = [await logIn(), await misspelled()]
        await lab.forgetConnections()
        // To conntrack each connection begins anew with whoever speaks first: here the client, there we.
        await asking.say('NOOP', 200)
        expect((await answered.readReply()).code).toBe(530)
        await answered.send('USER nobody\r\n')
        expect((await answered.readReply()).code).toBe(331)
        const { data } = await download(asking)
        await isComplete(data)
        data.halfClose()
        await asking.expect(226)
      })
    }

    it('finish before a drain ends; the idle are told to go', async () => {
      const { dialogue, data } = await download()
      await forwards(1)
      const idle = await logIn()
      await idle.passive('ipv4')
      proxy.signal('SIGTERM')
      await idle.expect(421)
      await expect.poll(() => lab.elements(), PATIENCE).toEqual([])
      const late = connectWire({
        in: lab.network.host('client'),
        to: { address: lab.address('vsftpd'), port: 21 },
      })
      await expect(late).rejects.toThrow()
      await isComplete(data)
      data.halfClose()
      await dialogue.expect(226)
      await dialogue.expect(421)
      const stopped = await proxy.waitForRecord(({ event }) => event === 'process.exit', 'the end')
      expect(stopped).toMatchObject({ exit_code: 0 })
      expect(proxy.records().filter(({ level }) => level === 'error')).toEqual([])
    })

    it('that are over hold no drain up, though their client leaves its half open', async () => {
      const { dialogue, data } = await download()
      await forwards(1)
      await isComplete(data)
      await dialogue.expect(226)
      proxy.signal('SIGTERM')
      const startedMs = performance.now()
      await dialogue.expect(421)
      await proxy.waitForRecord(({ event }) => event === 'process.exit', 'the end')
      // Conntrack would wait a minute for the other FIN.
      expect(performance.now() - startedMs).toBeLessThan(15_000)
    })

    it('whose client has vanished hold nobody up', async () => {
      const { dialogue, data } = await download()
      await forwards(1)
      dialogue.wire.reset()
      proxy.signal('SIGTERM')
      const stopped = await proxy.waitForRecord(({ event }) => event === 'process.exit', 'the end')
      expect(stopped).toMatchObject({ exit_code: 0 })
      await isComplete(data)
    })

    it('go on when a second signal ends the process at once', async () => {
      const { data } = await download()
      await forwards(1)
      proxy.signal('SIGTERM')
      await proxy.waitForRecord(({ event }) => event === 'process.drain', 'the drain')
      proxy.signal('SIGTERM')
      await expect(proxy.stop()).rejects.toThrow(/exit code 143/)
      await isComplete(data)
    })

    it('count what they carried, for the metrics and the log', async () => {
      const { dialogue, data } = await download()
      await isComplete(data)
      data.halfClose()
      await dialogue.expect(226)
      const { large } = lab.samples
      const transfer = await proxy.waitForRecord(({ event }) => event === 'transfer', 'the transfer')
      expect(transfer).toMatchObject({ path: 'kernel', direction: 'download', result: 'ok' })
      // What was sent twice counts twice.
      expect(Number(transfer.bytes)).toBeGreaterThan(large.bytes * 0.99)
      expect(Number(transfer.bytes)).toBeLessThan(large.bytes * 1.01)
      const bytes =
        /^ftp_alg_data_bytes_total\{listener="client",direction="download",path="kernel"\} (\d+)$/m
      await expect
        .poll(async () => Number(bytes.exec(await proxy.metrics())?.[1]), PATIENCE)
        .toBeGreaterThan(large.bytes * 0.99)
    })
  })
})
