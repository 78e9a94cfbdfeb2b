import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { type Agent, get, type IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { StatusView } from '../../src/observe/view/shapes.ts'
import { within } from '../support/peers/patience.ts'
import type { Endpoint } from '../support/peers/scripted-server.ts'
import { claimPorts, type PortBlock } from '../support/port-block.ts'
import { hideKoffi, preloading } from '../support/preloading.ts'
import type { LogRecord } from './proxy-under-test.ts'

const main = new URL('../../dist/main.js', import.meta.url).pathname

/** The process must not outlive this one, however this one ends. */
const withUs = existsSync('/usr/bin/setpriv') ? ['/usr/bin/setpriv', '--pdeathsig', 'KILL'] : []

export interface ProcessPlan {
  /** A server, or what the file calls it; empty for none. */
  readonly upstream: Endpoint | string
  /** Lines of YAML at the top level of the file, beside listeners, dataPorts and admin. */
  readonly more?: string
  /** Lines of YAML inside the only listener. */
  readonly inListener?: string
  /** Further listeners, as lines of YAML. */
  readonly moreListeners?: string
  /** More keys of the section admin: `token: /x`. */
  readonly admin?: string
  /** Where the admin listener is to be; default: a port that is nobody else's. */
  readonly adminPort?: number
  /** The file lies as the kubelet mounts a ConfigMap: behind two symbolic links, one of which `rewrite` turns. */
  readonly isMounted?: boolean
  /** Descriptors that the process may have open. */
  readonly maxDescriptors?: number
  /** More of the command line: `['--record', '/tmp/x']`. */
  readonly flags?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  /** As where the optional package koffi is not installed. */
  readonly withoutKoffi?: boolean
  /** A module that this process, and its workers, import before everything else. */
  readonly preload?: string
}

/** `ftp-alg run --config FILE` as a process of its own. */
export class ProxyProcess implements Endpoint {
  readonly address = '127.0.0.1'
  readonly port: number
  readonly #child: ChildProcess
  readonly #plan: ProcessPlan
  readonly #folder: string
  readonly #ports: PortBlock
  readonly #exited: Promise<number | NodeJS.Signals>
  #output = ''
  #watchers: (() => void)[] = []

  private constructor(plan: ProcessPlan, child: ChildProcess, folder: string, ports: PortBlock) {
    this.#plan = plan
    this.#child = child
    this.#folder = folder
    this.#ports = ports
    this.port = ports.last
    const append = (chunk: Buffer) => {
      this.#output += chunk.toString('utf8')
      this.#wake()
    }
    child.stdout?.on('data', append)
    child.stderr?.on('data', append)
    this.#exited = new Promise((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (code, signal) => resolve(code ?? signal ?? -1))
    })
    this.#exited.finally(() => this.#wake()).catch(() => undefined)
  }

  /** Starts it and waits until it runs; throws with its output when it ends before. */
  static async start(plan: ProcessPlan): Promise<ProxyProcess> {
    const proxy = await ProxyProcess.launch(plan)
    const ended = proxy.#exited.then((code) => {
      throw new Error(`the proxy ended with ${code}\n${proxy.output}`)
    })
    try {
      await Promise.race([proxy.record('process.start'), ended])
    } catch (error) {
      await proxy.kill()
      throw error
    }
    return proxy
  }

  /** Starts it without waiting. */
  static async launch(plan: ProcessPlan): Promise<ProxyProcess> {
    if (!existsSync(main)) throw new Error('dist/main.js does not exist: run `npm run build`')
    const folder = await mkdtemp(join(tmpdir(), 'ftp-alg-process-'))
    const ports = await claimPorts()
    const file = join(folder, 'config.yaml')
    await writeConfig(folder, { plan, text: configText(plan, ports) })
    const run = [
      ...withUs,
      process.execPath,
      '--enable-source-maps',
      main,
      'run',
      '--config',
      file,
      ...(plan.flags ?? []),
    ]
    const { maxDescriptors, withoutKoffi = false, preload = withoutKoffi ? hideKoffi : undefined } = plan
    const [program = '', ...args] =
      maxDescriptors === undefined
        ? run
        : ['sh', '-c', `ulimit -n ${maxDescriptors}; exec "$@"`, 'sh', ...run]
    const env = { ...process.env, ...(preload !== undefined && preloading(preload)), ...plan.environment }
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env })
    return new ProxyProcess(plan, child, folder, ports)
  }

  get pid(): number {
    return this.#child.pid ?? -1
  }

  get output(): string {
    return this.#output
  }

  /** Replaces parts of the configuration file; takes effect with SIGHUP, or by itself with `reloadOnChange`. */
  async rewrite(change: Partial<ProcessPlan> | string): Promise<void> {
    const text = typeof change === 'string' ? change : configText({ ...this.#plan, ...change }, this.#ports)
    await writeConfig(this.#folder, { plan: this.#plan, text })
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** The exit code, or the signal that ended it. */
  exited(ms?: number): Promise<number | NodeJS.Signals> {
    const soFar = () => this.#output.slice(-3000)
    return within(this.#exited, { what: 'the end of the process', soFar, ...(ms !== undefined && { ms }) })
  }

  get records(): readonly LogRecord[] {
    const lines = this.#output.split('\n').filter((line) => line.startsWith('{') && line.endsWith('}'))
    return lines.map((line): LogRecord => JSON.parse(line))
  }

  /** The `nth` record of this event, already written or yet to come. */
  async record(event: string, nth = 1): Promise<LogRecord> {
    for (;;) {
      const found = this.records.filter((record) => record.event === event)[nth - 1]
      if (found !== undefined) return found
      const woken = new Promise<void>((resolve) => this.#watchers.push(resolve))
      await within(woken, { what: `the log record ${event}`, soFar: () => this.#output.slice(-3000) })
    }
  }

  async status(): Promise<StatusView> {
    const answer = await this.ask('/api/v1/status')
    return (await answer.json()) as StatusView // the shape that the API promises
  }

  /** `ADDR:PORT` of the admin listener. */
  get admin(): string {
    return `127.0.0.1:${this.#ports.last - 1}`
  }

  /** A page of the admin listener. */
  ask(path: string): Promise<Response> {
    return fetch(`http://127.0.0.1:${this.#ports.last - 1}${path}`)
  }

  /** The same over a connection of the agent's. */
  async askOver(agent: Agent, path: string): Promise<{ readonly status: number; readonly text: string }> {
    const request = get({ host: '127.0.0.1', port: this.#ports.last - 1, path, agent })
    const [response]: IncomingMessage[] = await once(request, 'response')
    if (response === undefined) throw new Error('no response')
    let text = ''
    for await (const chunk of response.setEncoding('utf8')) text += chunk
    return { status: response.statusCode ?? 0, text }
  }

  /** The data ports in its configuration. */
  get dataPorts(): { readonly first: number; readonly last: number } {
    return { first: this.#ports.first, last: this.#ports.last - 2 }
  }

  /** What sessions hold now, added up. */
  async remains(): Promise<Readonly<Record<'sessions' | 'dataConnections' | 'pinholes' | 'ports', number>>> {
    const { listeners, pools } = await this.status()
    const [listener] = listeners
    return {
      sessions: listener?.sessions_active ?? -1,
      dataConnections: listener?.data_connections_active ?? -1,
      pinholes: listener?.pinholes_active ?? -1,
      ports: pools.reduce((total, pool) => total + pool.in_use, 0),
    }
  }

  /** Open file descriptors, or null where there is no /proc. */
  get descriptors(): number | null {
    const folder = `/proc/${this.pid}/fd`
    return existsSync(folder) ? readdirSync(folder).length : null
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#exited
    this.#ports.release()
    await rm(this.#folder, { recursive: true, force: true })
  }

  #wake(): void {
    const waiting = this.#watchers
    this.#watchers = []
    for (const wake of waiting) wake()
  }
}

export const nothing = { sessions: 0, dataConnections: 0, pinholes: 0, ports: 0 }

async function writeConfig(
  folder: string,
  { plan, text }: { readonly plan: ProcessPlan; readonly text: string },
): Promise<void> {
  const file = join(folder, 'config.yaml')
  if (!plan.isMounted) return writeFile(file, text)
  const revision = await mkdtemp(join(folder, '..revision-'))
  await writeFile(join(revision, 'config.yaml'), text)
  await symlink(revision, join(folder, '..data_tmp'))
  await rename(join(folder, '..data_tmp'), join(folder, '..data'))
  if (!existsSync(file)) await symlink(join('..data', 'config.yaml'), file)
}

function upstreamText(upstream: ProcessPlan['upstream']): string {
  return typeof upstream === 'string' ? upstream : `${upstream.address}:${upstream.port}`
}

function configText(plan: ProcessPlan, { first, last }: PortBlock): string {
  const { upstream, more = '', inListener = '', moreListeners = '', adminPort = last - 1, admin = '' } = plan
  const indented = inListener
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => `    ${line}\n`)
    .join('')
  return `listeners:
  - name: edge
    listen: 127.0.0.1:${last}
${upstream === '' ? '' : `    upstream: ${upstreamText(upstream)}\n`}${indented}${moreListeners === '' ? '' : `${moreListeners}\n`}dataPorts: ${first}-${last - 2}
admin: { listen: 127.0.0.1:${adminPort}${admin === '' ? '' : `, ${admin}`} }
${more}
`
}
