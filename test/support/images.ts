// Builds container images with buildah (Debian's), without a daemon and without a registry of images, and runs
// them as a container runtime would. What that leaves out: seccomp profiles, cgroups, and the runtimes themselves.

import { existsSync, readFileSync } from 'node:fs'
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import type { DebianTree } from './debian.ts'
import { debianRootArchive, imageTools } from './debian-root.ts'
import { type Place, type RunningProgram, runOrThrow, runProgram, startProgram } from './programs.ts'

export interface ImageStore {
  /** Builds a target of a Dockerfile; gives what the build printed. */
  build(request: BuildRequest): Promise<string>
  config(tag: string): Promise<ImageConfig>
  /** Starts the image as its configuration says: entry point, command, user, working folder, environment. */
  start(tag: string, options: ContainerOptions): Promise<Container>
  close(): Promise<void>
}

export interface BuildRequest {
  readonly dockerfile: string
  readonly context: string
  readonly ignoreFile?: string
  readonly target?: string
  readonly args?: Readonly<Record<string, string>>
  readonly tag: string
}

/** As the OCI image specification has it. */
export interface ImageConfig {
  readonly User: string
  readonly Entrypoint: readonly string[]
  readonly Cmd: readonly string[]
  readonly Env: readonly string[]
  readonly WorkingDir: string
  readonly StopSignal: string
  readonly ExposedPorts: Readonly<Record<string, unknown>>
}

export interface ContainerOptions {
  readonly place: Place
  /** Numbers of the capabilities that the container may have: 12 is NET_ADMIN. */
  readonly capabilities: readonly number[]
  /** Folders of this machine, seen read-only at `target`. */
  readonly volumes: readonly { readonly source: string; readonly target: string }[]
  /** Instead of the image's command. */
  readonly command?: readonly string[]
}

export interface Container {
  readonly program: RunningProgram
  /** Of process 1 of the container, seen from here. */
  pid(): number
}

/** Why a suite that installs npm packages cannot run here, said once, or null. With `CI=true` it throws instead. */
export async function registryMissing(suite: string): Promise<string | null> {
  const ping = await runProgram(['npm', 'ping'], { timeoutMs: 30_000 })
  if (ping.exitCode === 0) return null
  const line = `${suite} is skipped: it needs a registry of npm packages that answers`
  if (process.env.CI === 'true') throw new Error(line)
  console.warn(line)
  return line
}

export async function openImageStore(): Promise<ImageStore> {
  const tree = await imageTools()
  const folder = await mkdtemp(join(tmpdir(), 'ftp-alg-images-'))
  const buildah = await prepareBuildah(tree, folder)
  const run = (args: readonly string[]) => runOrThrow(buildah.command(args), { timeoutMs: 600_000 })
  const policy = join(tree.root, 'etc/containers/policy.json')
  const config = async (tag: string): Promise<ImageConfig> => {
    const { OCIv1 }: { OCIv1: { config: ImageConfig } } = JSON.parse(
      await run(['inspect', '--type', 'image', tag]),
    )
    return OCIv1.config
  }
  return {
    build: ({ dockerfile, context, ignoreFile, target, args = {}, tag }) =>
      run([
        ...['bud', '--isolation', 'chroot', '--signature-policy', policy, '--pull-never', '--layers'],
        ...['--file', dockerfile, '--tag', tag],
        ...(ignoreFile === undefined ? [] : ['--ignorefile', ignoreFile]),
        ...(target === undefined ? [] : ['--target', target]),
        ...Object.entries(args).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`]),
        context,
      ]),
    config,
    start: async (tag, options) => {
      const container = (await run(['from', '--pull-never', '--signature-policy', policy, tag])).trim()
      return startContainer(buildah.mounted(container, runtime), await config(tag), options)
    },
    close: () => rm(folder, { recursive: true, force: true }),
  }
}

/**
 * Makes an image of Debian, this machine's Node and npm, as `node:24-bookworm-slim` is one. It carries this machine's
 * certificates and npm settings, so that `npm ci` works inside as it does here; it never leaves the temporary store.
 */
export async function buildNodeImage(store: ImageStore, tag: string): Promise<void> {
  const context = await mkdtemp(join(tmpdir(), 'ftp-alg-node-image-'))
  try {
    await cp(await debianRootArchive(), join(context, 'root.tar'))
    await cp(process.execPath, join(context, 'node'), { dereference: true })
    const modules = (await runOrThrow(['npm', 'root', '--global'])).trim()
    await cp(join(modules, 'npm'), join(context, 'npm'), { recursive: true, dereference: true })
    for (const [from, to] of [
      [join(homedir(), '.npmrc'), 'npmrc'],
      ['/etc/ssl/certs/ca-certificates.crt', 'certificates.crt'],
    ] as const) {
      await writeFile(join(context, to), existsSync(from) ? readFileSync(from) : '')
    }
    await writeFile(
      join(context, 'Dockerfile'),
      `FROM scratch
ADD root.tar /
COPY certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY npmrc /root/.npmrc
COPY node /usr/local/bin/node
COPY npm /usr/local/lib/node_modules/npm
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm
ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt
`,
    )
    await store.build({ dockerfile: join(context, 'Dockerfile'), context, tag })
  } finally {
    await rm(context, { recursive: true, force: true })
  }
}

/** Runs a program that calls buildah and mmdebstrap by their names; gives what it printed. */
export async function runWithBuildah(
  argv: readonly string[],
  { env, timeoutMs }: { readonly env: Readonly<Record<string, string>>; readonly timeoutMs: number },
): Promise<string> {
  const tree = await imageTools()
  const home = await mkdtemp(join(tmpdir(), 'ftp-alg-buildah-'))
  try {
    await cp(join(tree.root, 'etc/containers'), join(home, '.config/containers'), { recursive: true })
    const path = `${join(tree.root, 'usr/bin')}:${process.env.PATH}`
    const command = withLibraries(await linkerCache(tree, home), 'exec "$@"', argv)
    return await runOrThrow(command, { env: { ...env, HOME: home, PATH: path }, timeoutMs })
  } finally {
    await rm(home, { recursive: true, force: true })
  }
}

interface Buildah {
  command(args: readonly string[]): readonly string[]
  /** Runs a script where the container is mounted, at `$root`: with overlay, nobody else sees it there. */
  mounted(container: string, script: string): readonly string[]
}

/**
 * buildah starts itself again without LD_LIBRARY_PATH, so the libraries of the extracted packages are made known
 * through the linker's cache, in a mount namespace of its own.
 */
async function prepareBuildah(tree: DebianTree, folder: string): Promise<Buildah> {
  const cache = await linkerCache(tree, folder)
  const program = [
    tree.program('usr/bin/buildah'),
    ...['--storage-driver', await storageDriver(folder)],
    ...['--root', join(folder, 'store'), '--runroot', join(folder, 'run')],
    ...['--registries-conf', join(tree.root, 'etc/containers/registries.conf')],
  ]
  return {
    command: (args) => withLibraries(cache, 'exec "$@"', [...program, ...args]),
    mounted: (container, script) =>
      withLibraries(cache, `root=$("$@") && ${script}`, [...program, 'mount', container]),
  }
}

async function linkerCache(tree: DebianTree, folder: string): Promise<string> {
  const libraries = tree.env.LD_LIBRARY_PATH?.split(':') ?? []
  const linker = join(folder, 'ld.so.conf')
  await writeFile(linker, ['include /etc/ld.so.conf.d/*.conf', ...libraries, ''].join('\n'))
  const cache = join(folder, 'ld.so.cache')
  await runOrThrow(['ldconfig', '-X', '-f', linker, '-C', cache])
  return cache
}

/** Runs a script with arguments where the linker knows the libraries of `cache`. */
function withLibraries(cache: string, script: string, argv: readonly string[]): readonly string[] {
  const whole = `mount --bind ${cache} /etc/ld.so.cache && ${script}`
  return ['unshare', '--mount', 'sh', '-c', whole, 'sh', ...argv]
}

/** vfs works everywhere and copies the whole image for each step; overlay needs the kernel's leave. */
async function storageDriver(folder: string): Promise<'overlay' | 'vfs'> {
  const probe = join(folder, 'probe')
  const parts = ['lower', 'upper', 'work', 'merged'].map((part) => join(probe, part))
  for (const part of parts) await mkdir(part, { recursive: true })
  const [lower, upper, work, merged = probe] = parts
  const options = `lowerdir=${lower},upperdir=${upper},workdir=${work}`
  const argv = ['unshare', '--mount', 'mount', '-t', 'overlay', 'overlay', '-o', options, merged]
  return (await runProgram(argv)).exitCode === 0 ? 'overlay' : 'vfs'
}

const runtime =
  'exec unshare --mount --pid --fork --kill-child=KILL /usr/bin/python3 "$RUNTIME" "$root" "$SPECIFICATION"'

function startContainer(
  argv: readonly string[],
  config: ImageConfig,
  { place, capabilities, volumes, command }: ContainerOptions,
): Container {
  const [uid = '0', gid = uid] = config.User.split(':')
  const specification = {
    uid: Number(uid),
    gid: Number(gid),
    capabilities,
    volumes,
    workingDir: config.WorkingDir,
    argv: [...config.Entrypoint, ...(command ?? config.Cmd)],
    env: Object.fromEntries(config.Env.map((entry) => /^([^=]*)=(.*)$/s.exec(entry)?.slice(1) ?? [])),
  }
  const script = new URL('container-runtime.py', import.meta.url).pathname
  const env = { RUNTIME: script, SPECIFICATION: JSON.stringify(specification) }
  const program = startProgram(argv, { place, env })
  return {
    program,
    pid: () => {
      const children = readFileSync(`/proc/${program.pid}/task/${program.pid}/children`, 'utf8')
      return Number(children.trim().split(' ')[0])
    },
  }
}
