// What deployments are tried on: a gateway that forwards, clients with their programs on one side of it, and on the
// other a vsftpd with the samples to download.

import { rm } from 'node:fs/promises'
import { type Cleanup, createCleanup } from '../../support/cleanup.ts'
import { clientTree, type FtpClient } from '../../support/clients/client.ts'
import { curl } from '../../support/clients/curl.ts'
import { debianTree } from '../../support/debian.ts'
import { createNetwork, type Network, type NetworkPlan } from '../../support/netns.ts'
import { createSamples, type Samples } from '../../support/samples.ts'
import { account, type FtpServer, serverPackages } from '../../support/servers/server.ts'
import { startVsftpd } from '../../support/servers/vsftpd.ts'
import { type Attempt, attemptTransfers, shareSamples } from '../../support/transfers.ts'

/** One session by itself, where `transfers` would do too much: curl, logged in, with whatever else it is told. */
export const curlCommand: readonly string[] = [
  ...['curl', '-sS', '--noproxy', '*'],
  ...['--user', `${account.user}:${account.password}`],
]

export interface GroundPlan extends NetworkPlan {
  /** The host that the server runs on, and where it listens: `::` is every address of both families. */
  readonly server: { readonly on: string; readonly address: string }
}

export interface Session extends Pick<Attempt, 'mode' | 'target'> {
  /** The client's host. */
  readonly from: string
  /** curl unless said. */
  readonly client?: FtpClient
  /** Whether 50 MiB travel too; not unless said. */
  readonly large?: boolean
}

export interface Ground {
  readonly network: Network
  readonly samples: Samples
  readonly server: FtpServer
  /** Also ends what a suite adds to it, first. */
  readonly cleanup: Cleanup
  /** Downloads, uploads and resumes over IPv4, and gives what went wrong: `[]` when nothing has. */
  transfers(session: Session): Promise<readonly string[]>
}

export async function openGround({ server: { on, address }, ...plan }: GroundPlan): Promise<Ground> {
  const cleanup = createCleanup()
  try {
    await Promise.all([clientTree(), debianTree(serverPackages)])
    const samples = await createSamples()
    cleanup.add(() => rm(samples.folder, { recursive: true }))
    const network = await createNetwork(plan)
    cleanup.add(network.close)
    await network.gateway.forward(true)
    const passivePorts = { first: 40_000, last: 49_999 }
    const server = await startVsftpd({ place: network.host(on), address, port: 21, passivePorts })
    cleanup.add(server.stop)
    await shareSamples(server, samples)
    return {
      network,
      samples,
      server,
      cleanup,
      transfers: ({ from, client = curl, large = false, ...way }) =>
        attemptTransfers({
          ...way,
          client,
          server,
          samples,
          large,
          family: 'ipv4',
          place: network.host(from),
        }),
    }
  } catch (error) {
    await cleanup.run()
    throw error
  }
}
