// Whether this machine has what the configuration asks for: capability, libraries, kernel, ports, descriptors.

import type { Config } from '../../config/config.ts'
import { ephemeralPart, readEphemeralPorts } from '../../config/kernel-ports.ts'
import { AlgError } from '../../errors.ts'
import { interceptTable, markOf } from '../../firewall/intercept-table.ts'
import { pinholeTables } from '../../firewall/pinhole-table.ts'
import { loadLibc } from '../../kernel/libc.ts'
import { type Nft, openNft } from '../../kernel/nft.ts'
import { hasNetAdmin, netAdminCure } from '../../kernel/privilege.ts'
import { addressToTry, whyNotFromPort } from '../../kernel/source-port.ts'
import { openTransparentListener } from '../../kernel/transparent.ts'
import { descriptorLimit, descriptorsFor, sessionsAllowed } from '../../process/descriptors.ts'
import { openTcp } from '../../tcp/open-tcp.ts'
import { type Finding, fail, forbidden, type Needs, needsOf, ok, warn } from './finding.ts'

export function checkPrivilege({ kernel }: Needs): Finding {
  if (hasNetAdmin()) return ok('privilege', 'CAP_NET_ADMIN is granted')
  if (!kernel) return ok('privilege', 'CAP_NET_ADMIN is not granted, and not needed')
  return forbidden('privilege', 'CAP_NET_ADMIN is missing', netAdminCure)
}

/** Loads koffi and libnftables; the context is for the checks that follow. */
export async function checkLibraries(): Promise<{
  readonly findings: readonly Finding[]
  readonly nft: Nft | null
}> {
  try {
    await loadLibc()
  } catch (error) {
    return { findings: [failedBy('koffi', error)], nft: null }
  }
  const koffi = ok('koffi', 'loaded')
  try {
    const nft = await openNft()
    return { findings: [koffi, ok('libnftables', 'loaded')], nft }
  } catch (error) {
    return { findings: [koffi, failedBy('libnftables', error)], nft: null }
  }
}

/** Whether connections are read and written by system calls of ours; without that all but interception and TLS works. */
export async function checkTcp(): Promise<Finding> {
  const { tcp } = await openTcp({ isRequired: false })
  const { reason } = tcp.choice
  if (reason === null) return ok('tcp', 'connections are watched with epoll')
  const [why = '', cure = 'npm install koffi beside ftp-alg, on Linux'] = reason.split(/: run (?=npm )/)
  return warn('tcp', `connections go through the sockets of Node, at more CPU time: ${why}`, cure)
}

/** The kernel judges our rules without carrying them out. */
export async function checkKernel(config: Config, nft: Nft): Promise<readonly Finding[]> {
  const needs = needsOf(config)
  const findings: Finding[] = []
  if (needs.forwarding || needs.redirect || needs.foreignSockets) {
    findings.push(
      judged(
        'kernel nat',
        nft.refusal(pinholeTables(markOf(config), { counts: false })),
        'CONFIG_NFT_NAT, CONFIG_NFT_CT',
      ),
      checkStrangers(config, nft),
    )
  }
  const table = interceptTable(config)
  if (table !== null) {
    const options = [
      ...(needs.tproxy ? ['CONFIG_NFT_TPROXY', 'CONFIG_NFT_FIB_INET'] : []),
      ...(needs.foreignSockets ? ['CONFIG_NFT_SOCKET'] : []),
      ...(needs.redirect ? ['CONFIG_NFT_REDIR'] : []),
    ]
    findings.push(judged('kernel interception', nft.refusal(table), options.join(', ')))
  }
  if (needs.foreignSockets) findings.push(await checkTransparent())
  return findings
}

function judged(check: string, refusal: string | null, options: string): Finding {
  if (refusal === null) return ok(check, 'the kernel accepts our rules')
  if (refusal.includes('Operation not permitted'))
    return fail(check, 'not allowed to ask the kernel', netAdminCure)
  const said = refusal.split('\n', 1)[0] ?? refusal
  return fail(
    check,
    `the kernel refuses our rules: ${said}`,
    `a kernel with ${options} (their modules loadable)`,
  )
}

/** Without it everything works, but attempts to steal a data connection are not reported. */
function checkStrangers(config: Config, nft: Nft): Finding {
  const check = 'strangers'
  const { client } = config.dataPorts
  const strangers = { group: client.first, ports: [client], everywhere: true }
  const refusal = nft.refusal(pinholeTables(markOf(config), { counts: false, strangers }))
  if (refusal === null) return ok(check, 'who comes to a data port unexpectedly is counted')
  const options = 'CONFIG_NFT_LOG, CONFIG_NETFILTER_NETLINK_LOG'
  return warn(
    check,
    'the kernel cannot report connections to data ports without a pinhole',
    `a kernel with ${options}`,
  )
}

async function checkTransparent(): Promise<Finding> {
  try {
    const libc = await loadLibc()
    // An address of nobody (RFC 5737), so that only IP_TRANSPARENT can make it work.
    libc.close(openTransparentListener(libc, { address: '192.0.2.1', port: 0 }).fd)
    return ok('transparent sockets', 'sockets can be bound to foreign addresses')
  } catch (error) {
    return failedBy('transparent sockets', error)
  }
}

function failedBy(check: string, error: unknown): Finding {
  const message = error instanceof Error ? error.message : String(error)
  // Our own messages end in their cure.
  const at = message.search(/: (?=run |install )/)
  if (error instanceof AlgError && error.code === 'PRIVILEGE_MISSING')
    return fail(check, message, netAdminCure)
  return at < 0
    ? fail(check, message, 'see docs/firewall.md')
    : fail(check, message.slice(0, at), message.slice(at + 2))
}

/** Whether the kernel may take our data ports for itself. */
export function checkPorts({ dataPorts }: Config): Finding {
  const kernel = readEphemeralPorts()
  if (kernel === null) return ok('data ports', 'this system does not say which ports it uses itself')
  const taken = [dataPorts.client, dataPorts.server]
    .map((range) => ephemeralPart(range, kernel))
    .find((part) => part !== null)
  if (taken === undefined || taken === null)
    return ok('data ports', 'outside the ports that the system takes for itself')
  const part = `${taken.first}-${taken.last}`
  return warn(
    'data ports',
    `${part} are also given to outgoing connections (net.ipv4.ip_local_port_range)`,
    `sysctl -w net.ipv4.ip_local_reserved_ports=${part}`,
  )
}

/** Whether this user may have the ports from which clients are to be called; `run` warns and takes any. */
export async function checkSourcePorts({ listeners }: Config): Promise<readonly Finding[]> {
  const findings: Finding[] = []
  for (const { name, listen, activeSourcePort: port } of listeners) {
    if (port === null) continue
    const check = `source port of ${name}`
    const error = await whyNotFromPort({ address: addressToTry(listen.address), port })
    findings.push(
      error === null
        ? ok(check, `clients can be called from port ${port}`)
        : warn(
            check,
            `clients cannot be called from port ${port}: ${error.message}`,
            error.code === 'EACCES'
              ? 'AmbientCapabilities=CAP_NET_BIND_SERVICE in the systemd unit'
              : 'another port',
          ),
    )
  }
  return findings
}

/** A session holds two sockets, and two more while it transfers; `run` lets in no more than the descriptors carry. */
export function checkOpenFiles({ limits, workers }: Config, descriptors = descriptorLimit()): Finding {
  const { sessions } = limits
  const wanted = descriptorsFor(Math.ceil(sessions / workers))
  const found = `${descriptors} allowed, ${wanted} needed for ${sessions} sessions`
  if (descriptors >= wanted) return ok('open files', found)
  const allowed = sessionsAllowed({ sessions, workers }, descriptors)
  return warn(
    'open files',
    allowed < sessions ? `${found}: only ${allowed} get in` : `${found} if all of them transfer`,
    `LimitNOFILE=${wanted} in the systemd unit, or a lower limits.sessions`,
  )
}
