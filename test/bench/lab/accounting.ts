// CPU time and memory of a system under test: of all its processes, of children that came and went, of threads.
// A control group of its own is exact, so it is used where one can be made; otherwise the process tree is added up.

import { mkdirSync, readdirSync, readFileSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { isAlive } from './alive.ts'

export interface Account {
  /** How the figures come about, for the report: `cgroup v2`, `cgroup v1 cpuacct` or `/proc`. */
  readonly method: string
  /** The file to which a process writes its own pid to be counted; null when the tree below a process is counted. */
  readonly joinFile: string | null
  /** Seconds of user and system time since the account was opened. */
  cpuSeconds(rootPid: number): number
  /** Proportional set size of all living processes, in kB: pages shared with others are counted in parts. */
  memoryKb(rootPid: number): number
  pids(rootPid: number): readonly number[]
  /** Whether all who are charged belong to one child, and end with it. */
  readonly isOfOne: boolean
}

interface GroupFlavour {
  readonly method: string
  readonly root: string
  readonly cpuSecondsOf: (directory: string) => number
}

/** Clock ticks per second in /proc/PID/stat; 100 on every Linux that Node runs on. */
const ticksPerSecond = 100

/** Groups that are still there; emptied of processes and removed at the end. */
const open = new Set<string>()

export function openAccount(name: string, { isOfOne }: { readonly isOfOne: boolean }): Account {
  const flavour = groupFlavour()
  if (flavour === null) return processTreeAccount
  const directory = join(flavour.root, `${groupPrefix}${process.pid}-${name}`)
  mkdirSync(directory, { recursive: true })
  open.add(directory)
  const pids = (): number[] =>
    readFileSync(join(directory, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean).map(Number)
  return {
    method: flavour.method,
    joinFile: join(directory, 'cgroup.procs'),
    isOfOne,
    cpuSeconds: () => flavour.cpuSecondsOf(directory),
    memoryKb: () => sumOf(pids(), memoryKbOf),
    pids,
  }
}

/** When all processes are gone. A group whose last process is still leaving is removed by the next run. */
export function closeAccounts(): void {
  for (const directory of open) tryRemove(directory)
  open.clear()
}

/** Removes the groups of runs that are over. */
export function removeStaleGroups(): void {
  const flavour = groupFlavour()
  if (flavour === null) return
  for (const name of readdirSync(flavour.root)) {
    const owner = name.startsWith(groupPrefix)
      ? Number.parseInt(name.slice(groupPrefix.length), 10)
      : process.pid
    if (!isAlive(owner)) tryRemove(join(flavour.root, name))
  }
}

function tryRemove(directory: string): void {
  try {
    rmdirSync(directory)
  } catch {
    // In use by another run.
  }
}

const groupPrefix = 'ftp-alg-bench-'
let knownFlavour: GroupFlavour | null | undefined

function groupFlavour(): GroupFlavour | null {
  if (knownFlavour === undefined) knownFlavour = candidates().find(isUsable) ?? null
  return knownFlavour
}

function candidates(): GroupFlavour[] {
  const mounts = readOr('/proc/mounts', '')
    .split('\n')
    .map((mount) => mount.split(' '))
  const version2 = mounts.find(([, , type]) => type === 'cgroup2')?.[1]
  const version1 = mounts.find(
    ([, , type, options]) => type === 'cgroup' && options?.split(',').includes('cpuacct'),
  )?.[1]
  const found: GroupFlavour[] = []
  if (version1 !== undefined) {
    const cpuSecondsOf = (directory: string): number =>
      Number(readFileSync(join(directory, 'cpuacct.usage'), 'utf8')) / 1e9
    found.push({ method: 'cgroup v1 cpuacct', root: version1, cpuSecondsOf })
  }
  if (version2 !== undefined) {
    const usage = (directory: string): string => readFileSync(join(directory, 'cpu.stat'), 'utf8')
    const cpuSecondsOf = (directory: string): number =>
      Number(/usage_usec (\d+)/.exec(usage(directory))?.[1]) / 1e6
    found.push({ method: 'cgroup v2 cpu.stat', root: version2, cpuSecondsOf })
  }
  return found
}

/** Tried with a group that is made and removed again. */
function isUsable({ root, cpuSecondsOf }: GroupFlavour): boolean {
  const directory = join(root, `${groupPrefix}${process.pid}-trial`)
  try {
    mkdirSync(directory)
    const seconds = cpuSecondsOf(directory)
    rmdirSync(directory)
    return Number.isFinite(seconds)
  } catch {
    return false
  }
}

const processTreeAccount: Account = {
  method: '/proc',
  joinFile: null,
  isOfOne: true,
  cpuSeconds: (rootPid) => sumOf(treeOf(rootPid), ticksOf) / ticksPerSecond,
  memoryKb: (rootPid) => sumOf(treeOf(rootPid), memoryKbOf),
  pids: treeOf,
}

function treeOf(rootPid: number): number[] {
  const tree = [rootPid]
  for (const pid of tree) {
    const children = readOr(`/proc/${pid}/task/${pid}/children`, '')
    tree.push(...children.split(' ').filter(Boolean).map(Number))
  }
  return tree
}

/** utime, stime and those of reaped children, fields 14 to 17 of stat(5). */
function ticksOf(pid: number): number {
  const afterName = readOr(`/proc/${pid}/stat`, '').split(') ')[1]?.split(' ') ?? []
  return sumOf(afterName.slice(11, 15).map(Number), (ticks) => ticks)
}

function memoryKbOf(pid: number): number {
  const proportional = /^Pss:\s+(\d+)/m.exec(readOr(`/proc/${pid}/smaps_rollup`, ''))?.[1]
  const resident = /^VmRSS:\s+(\d+)/m.exec(readOr(`/proc/${pid}/status`, ''))?.[1]
  return Number(proportional ?? resident ?? 0)
}

function sumOf(values: readonly number[], measure: (value: number) => number): number {
  return values.reduce((sum, value) => sum + measure(value), 0)
}

function readOr(path: string, otherwise: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return otherwise
  }
}
