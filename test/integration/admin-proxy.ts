// The proxy as its user starts it, with its admin listener, before a scripted server on loopback.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { get as httpGet } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test as base } from 'vitest'
import { ftpScript } from '../support/peers/ftp-script.ts'
import { payload, payloadSha256 } from '../support/peers/payload.ts'
import { ScriptedClient } from '../support/peers/scripted-client.ts'
import {
  type Endpoint,
  type Script,
  type ScriptedServer,
  startScriptedServer,
} from '../support/peers/scripted-server.ts'
import { claimPorts, type PortBlock } from '../support/port-block.ts'
import type { Place } from '../support/programs.ts'
import { type RunningProxy, startProxy } from '../support/proxy.ts'

export interface AdminProxy {
  readonly proxy: RunningProxy
  readonly server: ScriptedServer
  readonly ftp: Endpoint
  readonly admin: Endpoint
  /** Replaces what the plan added to the configuration file by this, and waits until it was read again. */
  reloadWith(more: string): Promise<void>
  /** A client that has logged in. */
  login(user?: string, from?: string): Promise<ScriptedClient>
  /** Uploads and downloads so many bytes; throws when they do not come back as they were. */
  transfer(client: ScriptedClient, bytes: number): Promise<void>
  /** A GET on the admin listener. */
  get(path: string): Promise<{ readonly status: number; readonly body: string }>
}

export interface AdminPlan {
  /** More keys of the configuration file. */
  readonly more?: string
  readonly place?: Place
  /** What the server behind the proxy does; an ordinary one by default. */
  readonly script?: Script
}

export class AdminLab {
  readonly folder: string
  readonly #closers: (() => unknown)[] = []

  constructor(folder: string) {
    this.folder = folder
  }

  async ports(): Promise<PortBlock> {
    const block = await claimPorts()
    this.#closers.push(() => block.release())
    return block
  }

  onClose(close: () => unknown): void {
    this.#closers.push(close)
  }

  async start({ more = '', place, script = ftpScript() }: AdminPlan = {}): Promise<AdminProxy> {
    const block = await this.ports()
    const server = await startScriptedServer({ script })
    this.#closers.push(() => server.close())
    const ftp = { address: '127.0.0.1', port: block.first }
    const admin = { address: '127.0.0.1', port: block.first + 1 }
    const configWith = (text: string) => `\
listeners: [{ name: edge, listen: '127.0.0.1:${ftp.port}', upstream: '${server.address}:${server.port}' }]
dataPorts: ${block.first + 2}-${block.last}
${text}`
    const file = join(this.folder, `config-${block.first}.yaml`)
    await writeFile(file, configWith(more))
    const proxy = await startProxy({
      admin,
      flags: ['--config', file],
      ...(place === undefined ? {} : { place }),
    })
    this.#closers.push(() => proxy.kill())
    return {
      proxy,
      server,
      ftp,
      admin,
      reloadWith: async (text) => {
        const reloads = () => proxy.records().filter(({ event }) => event === 'config.reload').length
        const before = reloads()
        await writeFile(file, configWith(text))
        proxy.signal('SIGHUP')
        await proxy.waitForRecord(() => reloads() > before, 'the reload')
      },
      login: async (user = 'joe', from = '127.0.0.1') => {
        const client = await ScriptedClient.connect(ftp, { from })
        this.#closers.push(() => client.close())
        return client.login(user)
      },
      transfer,
      get: (path) => get({ ...admin, path }),
    }
  }

  async close(): Promise<void> {
    for (const close of this.#closers.reverse()) await close()
  }
}

export const test = base.extend<{ lab: AdminLab }>({
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads the names of the fixtures it needs from here
  lab: async ({}, use) => {
    const folder = await mkdtemp(join(tmpdir(), 'ftp-alg-admin-'))
    const lab = new AdminLab(folder)
    await use(lab)
    await lab.close()
    await rm(folder, { recursive: true, force: true })
  },
})

export function get({ address, port, path }: Endpoint & { readonly path: string }): Promise<{
  readonly status: number
  readonly body: string
}> {
  return new Promise((resolve, reject) => {
    const request = httpGet({ host: address, port, path, agent: false }, async (response) => {
      let body = ''
      for await (const chunk of response.setEncoding('utf8')) body += chunk
      resolve({ status: response.statusCode ?? 0, body })
    })
    request.on('error', reject)
  })
}

async function transfer(client: ScriptedClient, bytes: number): Promise<void> {
  await client.upload(`STOR ${bytes}`, payload(bytes))
  const { data, codes } = await client.download(`RETR ${bytes}`)
  const isWhole = data.sha256 === payloadSha256(bytes) && data.ending === 'fin'
  if (!isWhole || codes.at(-1) !== 226) throw new Error(`${data.byteCount} of ${bytes} bytes came: ${codes}`)
}
