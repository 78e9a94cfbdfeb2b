// A gateway with hosts around it, each a network namespace of its own, made by the test and removed after it.
// The test itself runs in the gateway's namespace; `within` makes a socket in another one: the namespace of a
// socket is the one it was made in.
//
//   client   10.71.1.2 ──┐                     ┌── 10.72.1.2 server
//            fd71:1::2   │      gateway        │   fd72:1::2
//                        ├── .1 of each net ───┤
//   attacker 10.71.2.2 ──┘                     └── 10.72.2.2 bystander
//            fd71:2::2                             fd72:2::2

import { execFileSync } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import type { Server, Socket } from 'node:net'
import { createServer } from 'node:net'
import { isMainThread } from 'node:worker_threads'
import type { Endpoint } from '../../src/ftp/endpoints.ts'
import { loadFfi } from '../../src/kernel/ffi.ts'
import { type Libc, loadLibc } from '../../src/kernel/libc.ts'
import { openTransparentListener } from '../../src/kernel/transparent.ts'
import { connectFrom } from './foreign-socket.ts'

export type Host = 'client' | 'attacker' | 'server' | 'bystander'
export type Family = 4 | 6

const nets: Readonly<Record<Host, Readonly<Record<Family, string>>>> = {
  client: { 4: '10.71.1.', 6: 'fd71:1::' },
  attacker: { 4: '10.71.2.', 6: 'fd71:2::' },
  server: { 4: '10.72.1.', 6: 'fd72:1::' },
  bystander: { 4: '10.72.2.', 6: 'fd72:2::' },
}
const hosts = ['client', 'attacker', 'server', 'bystander'] as const

/** Why namespaces cannot be made here, or null. */
export function whyNoNamespaces(): string | null {
  if (process.platform !== 'linux') return `namespaces need Linux, this is ${process.platform}`
  if (process.getuid?.() !== 0) return 'namespaces need root'
  if (!isMainThread) return 'namespaces need the main thread of a process (vitest pool forks)'
  try {
    const probe = `ftpalg-probe-${process.pid}`
    execFileSync('ip', ['netns', 'add', probe], { stdio: 'pipe' })
    execFileSync('ip', ['netns', 'delete', probe], { stdio: 'pipe' })
    execFileSync('nft', ['--version'], { stdio: 'pipe' })
    return null
  } catch (error) {
    return `namespaces cannot be made: ${error instanceof Error ? error.message.split('\n')[0] : error}`
  }
}

export class Lab {
  readonly libc: Libc
  readonly #setns: (fd: number, kind: number) => number
  readonly #prefix: string
  readonly #descriptors = new Map<string, number>()
  readonly #servers: Server[] = []

  /** Makes the namespaces and moves this process's main thread into the gateway's. */
  static async create(): Promise<Lab> {
    const ffi = await loadFfi()
    return new Lab(await loadLibc(), ffi.load(null).func('int setns(int fd, int kind)'))
  }

  private constructor(libc: Libc, setns: (fd: number, kind: number) => number) {
    this.libc = libc
    this.#setns = setns
    this.#prefix = `fa${process.pid}`
    this.#descriptors.set('home', openSync('/proc/thread-self/ns/net', 'r'))
    for (const name of ['gateway', ...hosts]) {
      this.#ip('netns', 'add', this.namespace(name))
      this.#descriptors.set(name, openSync(`/run/netns/${this.namespace(name)}`, 'r'))
      this.exec(name, 'ip', 'link', 'set', 'lo', 'up')
      // Addresses are usable at once, the link-local ones of the links to come too.
      this.exec(name, 'sysctl', '-qw', 'net.ipv6.conf.default.accept_dad=0')
    }
    this.#enter('gateway')
    for (const host of hosts) this.#wire(host)
    for (const knob of ['net.ipv4.ip_forward', 'net.ipv6.conf.all.forwarding']) {
      this.exec('gateway', 'sysctl', '-qw', `${knob}=1`)
    }
  }

  /** The name under /run/netns, for `ip netns exec`. */
  namespace(name: string): string {
    return `${this.#prefix}-${name}`
  }

  /** The host's address; the gateway's on that host's network with `gatewayTowards`. */
  address(host: Host, family: Family = 4): string {
    return `${nets[host][family]}2`
  }

  gatewayTowards(host: Host, family: Family = 4): string {
    return `${nets[host][family]}1`
  }

  /** The interface of the gateway on that host's network. */
  interfaceTowards(host: Host): string {
    return `gw-${host}`
  }

  /** Runs synchronous code in a host's namespace. */
  within<Result>(name: Host | 'gateway', run: () => Result): Result {
    this.#enter(name)
    try {
      return run()
    } finally {
      this.#enter('gateway')
    }
  }

  /** Runs a program in a namespace and returns what it prints. */
  exec(name: string, program: string, ...args: readonly string[]): string {
    const command = ['netns', 'exec', this.namespace(name), program, ...args]
    return execFileSync('ip', command, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  }

  /** Loads rules into the gateway. */
  nft(rules: string): string {
    const command = ['netns', 'exec', this.namespace('gateway'), 'nft', '-f', '-']
    return execFileSync('ip', command, { encoding: 'utf8', input: rules, stdio: ['pipe', 'pipe', 'pipe'] })
  }

  /** A connecting socket on a host. `from` is an address of the host; port 0 lets the system choose. */
  connect(host: Host, to: Endpoint, from: Partial<Endpoint> = {}): Socket {
    const family: Family = to.address.includes(':') ? 6 : 4
    const source = { address: from.address ?? this.address(host, family), port: from.port ?? 0 }
    return this.within(host, () => connectFrom(this.libc, { from: source, to }))
  }

  /** A listening server on a host. */
  async listen(
    host: Host | 'gateway',
    at: Endpoint,
    accept: (socket: Socket) => void,
  ): Promise<{ at: Endpoint; server: Server }> {
    const listener = this.within(host, () => openTransparentListener(this.libc, at))
    const server = createServer({ allowHalfOpen: true }, accept)
    this.#servers.push(server)
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen({ fd: listener.fd }, resolve)
    })
    return { at: listener.at, server }
  }

  /** Leaves the gateway and removes everything. */
  close(): void {
    for (const server of this.#servers) server.close()
    this.#enter('home')
    for (const descriptor of this.#descriptors.values()) closeSync(descriptor)
    for (const name of ['gateway', ...hosts]) this.#ip('netns', 'delete', this.namespace(name))
  }

  #wire(host: Host): void {
    const outer = this.interfaceTowards(host)
    const peer = ['peer', 'name', 'eth0', 'netns', this.namespace(host)]
    this.exec('gateway', 'ip', 'link', 'add', outer, 'type', 'veth', ...peer)
    this.exec('gateway', 'ip', 'link', 'set', outer, 'up')
    this.exec(host, 'ip', 'link', 'set', 'eth0', 'up')
    for (const [family, bits] of [
      [4, 24],
      [6, 64],
    ] as const) {
      const gateway = this.gatewayTowards(host, family)
      this.exec('gateway', 'ip', 'addr', 'add', `${gateway}/${bits}`, 'dev', outer)
      this.exec(host, 'ip', 'addr', 'add', `${this.address(host, family)}/${bits}`, 'dev', 'eth0')
      this.exec(host, 'ip', `-${family}`, 'route', 'add', 'default', 'via', gateway)
    }
  }

  #enter(name: string): void {
    const descriptor = this.#descriptors.get(name)
    if (descriptor === undefined || this.#setns(descriptor, CLONE_NEWNET) !== 0) {
      throw new Error(`cannot enter the namespace of ${name}`)
    }
  }

  #ip(...args: readonly string[]): void {
    execFileSync('ip', args, { stdio: 'pipe' })
  }
}

const CLONE_NEWNET = 0x40000000
