// A machine with a system of its own: Debian's systemd as process 1, podman, dpkg; in a network namespace of the test.

import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { debianMachineArchive } from './debian-root.ts'
import { type Place, type Ran, runOrThrow, runProgram, startProgram } from './programs.ts'

export interface Machine {
  /** Its `/`, seen from here. */
  readonly root: string
  /** Runs a script with bash, as root in /root. */
  shell(script: string, options?: { readonly timeoutMs?: number }): Promise<Ran>
  /** Ends all that runs on it, and removes it. */
  close(): Promise<void>
}

/** Boots it in 2 seconds; 40 more, and a package archive, where no earlier run has left its root. */
export async function bootMachine(place: Place): Promise<Machine> {
  const folder = await mkdtemp(join(tmpdir(), 'ftp-alg-machine-'))
  const root = join(folder, 'root')
  const group = basename(folder)
  const boot = new URL('boot-machine.sh', import.meta.url).pathname
  await runOrThrow(['mkdir', root])
  const unpack = ['tar', '-xf', await debianMachineArchive(), '-C', root, '--exclude=./dev/*']
  await runOrThrow(unpack, { timeoutMs: 120_000 })
  await settle(root)
  const namespaces = ['--mount', '--pid', '--uts', '--ipc', '--fork', '--kill-child=KILL']
  const system = startProgram(['unshare', ...namespaces, 'sh', boot, root, group], { place })
  const shell: Machine['shell'] = async (script, { timeoutMs = 60_000 } = {}) => {
    const [first] = readFileSync(children(system.pid), 'utf8').split(' ')
    const enter = ['nsenter', `--target=${first}`, '--all', '--root', '--wd', 'env', '-i', 'HOME=/root']
    const path = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
    return runProgram([...enter, path, 'bash', '-ec', `cd; ${script}`], { timeoutMs })
  }
  const close = async () => {
    await system.kill()
    // What has just been killed is still in them.
    const remove =
      'mount -t cgroup2 none "$1" && until find "$1/$2" -depth -type d -exec rmdir {} +; do sleep 0.05; done'
    const argv = ['unshare', '--mount', 'sh', '-c', remove, 'sh', join(root, 'mnt'), group]
    await runProgram(argv, { timeoutMs: 5000 })
    await rm(folder, { recursive: true, force: true })
  }
  try {
    await waitForProcess(system.pid)
    await waitForSystemd(shell)
  } catch (error) {
    await close()
    throw new Error(`the machine did not come up\n${system.output()}`, { cause: error })
  }
  return { root, shell, close }
}

/** podman's runtime raises limits before it makes control groups, which a machine that is itself a container may not. */
async function settle(root: string): Promise<void> {
  const settings = '[containers]\ncgroups = "disabled"\n[engine]\ncgroup_manager = "cgroupfs"\n'
  await writeFile(join(root, 'etc/containers/containers.conf'), settings)
}

function children(pid: number): string {
  return `/proc/${pid}/task/${pid}/children`
}

/** Until process 1 is no longer the script that starts systemd. */
async function waitForProcess(pid: number): Promise<void> {
  const script = `until read first rest <${children(pid)}; [ "$(cat /proc/\${first:-self}/comm)" = systemd ]; do sleep 0.02; done`
  const { timedOut } = await runProgram(['sh', '-c', script], { timeoutMs: 20_000 })
  if (timedOut) throw new Error('systemd was not started')
}

async function waitForSystemd(shell: Machine['shell']): Promise<void> {
  const script =
    'until systemctl is-system-running --wait 2>/dev/null | grep -E "running|degraded"; do sleep 0.1; done'
  const { exitCode, stdout, stderr } = await shell(script, { timeoutMs: 30_000 })
  if (exitCode !== 0) throw new Error(`systemd is ${stdout}${stderr}`)
}
