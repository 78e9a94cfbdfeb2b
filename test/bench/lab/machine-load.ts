import { readFileSync } from 'node:fs'

/** What the whole machine has done since it started, in seconds of CPU; zeros where there is no /proc. */
export interface MachineTime {
  readonly busy: number
  readonly stolen: number
  readonly total: number
}

const ticksPerSecond = 100

export function readMachineTime(): MachineTime {
  const ticks = firstLineOfStat().split(/\s+/).slice(1, 9).map(Number)
  const [user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0] = ticks
  const busy = user + nice + system + irq + softirq
  return {
    busy: busy / ticksPerSecond,
    stolen: steal / ticksPerSecond,
    total: (busy + idle + iowait + steal) / ticksPerSecond,
  }
}

function firstLineOfStat(): string {
  try {
    return readFileSync('/proc/stat', 'latin1').split('\n')[0] ?? ''
  } catch {
    return ''
  }
}

/** How much of the machine others had between two readings, `ownSeconds` being ours: 0 to 1. */
export function shareOfOthers(before: MachineTime, after: MachineTime, ownSeconds: number): number {
  const total = after.total - before.total
  const others = after.busy - before.busy - ownSeconds + after.stolen - before.stolen
  return total <= 0 ? 0 : Math.max(0, others / total)
}
