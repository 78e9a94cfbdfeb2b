// Whether the listeners can listen: the port free, the privilege there, the address ours.

import { createServer } from 'node:net'
import type { Config, ListenAddress } from '../../config/config.ts'
import { type Finding, fail, forbidden, ok } from './finding.ts'
import { holderOf, type PortHolder } from './port-holder.ts'

/** Listens on each port for a moment. */
export async function checkListening({ listeners, admin }: Config): Promise<readonly Finding[]> {
  const findings: Finding[] = []
  for (const { name, listen } of listeners) findings.push(await checkPort(`port of ${name}`, listen))
  if (admin !== null) findings.push(await checkPort('port of admin', admin.listen))
  return findings
}

async function checkPort(check: string, { address, port }: ListenAddress): Promise<Finding> {
  const at = `${address} port ${port}`
  const error = await whyNotListening({ address, port })
  switch (error?.code) {
    case undefined:
      return ok(check, `${at} is free`)
    case 'EADDRINUSE':
      return judgeHolder(check, at, holderOf(port))
    case 'EACCES':
      return forbidden(
        check,
        `${at}: not allowed to listen below port ${lowestFree}`,
        'AmbientCapabilities=CAP_NET_BIND_SERVICE in the systemd unit, or ftp-alg.socket',
      )
    case 'EADDRNOTAVAIL':
      return fail(check, `${at}: no interface of this machine has that address`, 'ip address show')
    default:
      return fail(check, `${at}: ${error?.message}`, 'another address or port')
  }
}

/** The kernel's default, net.ipv4.ip_unprivileged_port_start. */
const lowestFree = 1024

function judgeHolder(check: string, at: string, holder: PortHolder | null): Finding {
  if (holder === null) return fail(check, `${at} is in use`, 'as root: ss -ltnp says by whom')
  const { pid, name, isFtpAlg } = holder
  if (isFtpAlg) return ok(check, `${at} is held by ftp-alg, which runs already (process ${pid})`)
  if (pid === 1) return ok(check, `${at} is held by ${name}, for a service with a socket of its own`)
  return fail(check, `${at} is in use by ${name} (process ${pid})`, 'stop it, or another port')
}

function whyNotListening({ address, port }: ListenAddress): Promise<NodeJS.ErrnoException | null> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', resolve)
    server.listen({ host: address, port, exclusive: true }, () => server.close(() => resolve(null)))
  })
}
