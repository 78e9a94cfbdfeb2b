import { readFileSync } from 'node:fs'
import { cpus, release, totalmem, type } from 'node:os'

/** `2 × AMD EPYC, 24 GB, Linux 6.18.44, Debian GNU/Linux 12 (bookworm), Node 20.20.2` */
export function describeMachine(): string {
  const processors = cpus()
  const model = processors[0]?.model.trim() ?? 'unknown processor'
  const gigabytes = Math.round(totalmem() / 2 ** 30)
  const kernel = `${type()} ${release().split('-')[0]}`
  return [
    `${processors.length} × ${model}`,
    `${gigabytes} GB`,
    kernel,
    distribution(),
    `Node ${process.versions.node}`,
  ]
    .filter(Boolean)
    .join(', ')
}

function distribution(): string {
  try {
    return /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? ''
  } catch {
    return ''
  }
}
