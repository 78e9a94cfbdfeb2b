// What the four FTP servers have in common: an own home for the login user, an own mount and process namespace
// (so that account files can be replaced and no child survives), readiness by the banner.

import { readFileSync } from 'node:fs'
import { chmod, chown, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type DebianTree, debianTree } from '../debian.ts'
import { type Place, type RunningProgram, runProgram, startProgram, thisMachine } from '../programs.ts'

/** Who logs in; the account exists only for the server's own process. */
export const account = {
  user: 'alg',
  password: 'secret',
  uid: 21210,
  /** `secret`, as `openssl passwd -6` writes it. */
  hash: '$6$ftpalg$tV.A004COA4kq.O5iRWk.rUNXTDUIfde6Lw4EUoXTJ9tWRl8B.yAlQFLiUi.QGSxbNZi.vR7oa7V50LzMBLmN0',
} as const

export const serverPackages = [
  'vsftpd',
  'proftpd-core',
  'proftpd-mod-crypto',
  'pure-ftpd',
  'pure-ftpd-common',
  'python3-pyftpdlib',
]

export type ServerKind = 'vsftpd' | 'proftpd' | 'pure-ftpd' | 'pyftpdlib'

/** Which data modes a server's own configuration allows. */
export type ServerModes = 'both' | 'active-only' | 'passive-only'

export interface ServerOptions {
  readonly place?: Place
  /** `127.0.0.1`, `::1`, or `::` for every address of both families, the servers' own default. */
  readonly address: string
  readonly port: number
  readonly passivePorts: { readonly first: number; readonly last: number }
  readonly modes?: ServerModes
  /** Sessions that one address may have; not pyftpdlib. */
  readonly maxPerAddress?: number
  /** Control and data connections must be encrypted, and data connections resume the control connection's session. */
  readonly tls?: ServerTlsFiles
}

export interface ServerTlsFiles {
  /** PEM, with an RSA key. */
  readonly certificate: string
  readonly key: string
  readonly isImplicit: boolean
}

export interface FtpServer {
  readonly kind: ServerKind
  readonly address: string
  readonly port: number
  /** The login user's folder on this machine, seen as `/` by the client. */
  readonly home: string
  /** What the server wrote so far. */
  log(): string
  /** Kills the server with every child and removes its files. */
  stop(): Promise<void>
}

/** What one kind of server adds: its files and its command line. */
export interface ServerRecipe {
  readonly argv: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Files put over the machine's, for this server's processes only: `{ '/etc/passwd': 'root:x:…' }`. */
  readonly overlay?: Readonly<Record<string, string>>
}

export interface ServerFolder {
  /** Private to this server: configuration, password files, logs. */
  readonly root: string
  readonly home: string
  readonly tree: DebianTree
}

/** Starts a server by its recipe and resolves when its banner has answered. */
export async function launchServer(
  kind: ServerKind,
  options: ServerOptions,
  recipe: (folder: ServerFolder) => Promise<ServerRecipe>,
): Promise<FtpServer> {
  const tree = await debianTree(serverPackages)
  const root = await mkdtemp(join(tmpdir(), `ftp-alg-${kind}-`))
  await chmod(root, 0o755)
  const home = join(root, 'home')
  await mkdir(home)
  await chown(home, account.uid, account.uid)
  const { argv, env, overlay } = await recipe({ root, home, tree })
  const mounts: string[] = []
  for (const [index, [target, content]] of Object.entries(overlay ?? {}).entries()) {
    const source = join(root, `overlay-${index}`)
    await writeFile(source, content)
    mounts.push(`mount --bind ${source} ${target} && `)
  }
  const place = options.place ?? thisMachine
  // The shell stays as process 1 of its own process namespace: when it dies, everything in there dies.
  // vsftpd and Pure-FTPd write what is wrong with their configuration to descriptor 0, and Pure-FTPd believes
  // that inetd started it when that is a socket, as Node's pipes are: so all three are one file.
  const script = `${mounts.join('')}"$@" 0<>log 1>&0 2>&0; exit $?`
  const program = startProgram(
    ['unshare', '--mount', '--pid', '--fork', '--kill-child=KILL', 'sh', '-c', script, 'sh', ...argv],
    { place, env: { ...tree.env, ...env }, cwd: root },
  )
  const log = () => `${program.output()}${readFileSync(join(root, 'log'), 'latin1')}`
  const stop = async () => {
    await program.kill()
    await rm(root, { recursive: true, force: true })
  }
  try {
    await bannerAnswers(place, options, program, log)
  } catch (error) {
    await stop()
    throw error
  }
  return { kind, address: options.address, port: options.port, home, log, stop }
}

/** Creates a folder of the login user's and gives its path. */
export async function makeUserFolder(server: FtpServer, name: string): Promise<string> {
  const folder = join(server.home, name)
  await mkdir(folder)
  await chown(folder, account.uid, account.uid)
  return folder
}

async function bannerAnswers(
  place: Place,
  options: ServerOptions,
  program: RunningProgram,
  log: () => string,
) {
  const address = options.address === '::' ? '::1' : options.address
  const isImplicit = options.tls?.isImplicit === true
  // bash's own TCP client; connecting is tried again until somebody listens.
  const script = `until exec 3<>"/dev/tcp/$0/$1"; do sleep 0.02; done 2>/dev/null; ${isImplicit ? 'line=220' : 'read -r line <&3'}; echo "$line"`
  const asking = runProgram(['bash', '-c', script, address, String(options.port)], {
    place,
    timeoutMs: 15_000,
  })
  const first = await Promise.race([asking, program.exited])
  if (typeof first !== 'number' && first.stdout.startsWith('220')) return
  const seen =
    typeof first === 'number' ? `it ended with exit code ${first}` : `said ${JSON.stringify(first.stdout)}`
  throw new Error(`${address}:${options.port} gave no FTP banner: ${seen}\n${log()}`)
}
