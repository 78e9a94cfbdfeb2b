import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Network } from './network.ts'
import { dataPorts } from './network.ts'
import type { Place } from './place.ts'

/** Without a network everything is on loopback, told apart by port. */
export async function makePlaces(
  howMany: number,
  network: Network | null,
  scratch: string,
): Promise<Place[]> {
  const places: Place[] = []
  for (let index = 1; index <= howMany; index++) {
    await network?.addMiddle(index)
    const directory = join(scratch, `place-${index}`)
    mkdirSync(directory)
    places.push(
      network === null
        ? loopbackPlace(index, directory)
        : namespacePlace(network.middle(index), index, directory),
    )
  }
  return places
}

function namespacePlace(namespace: string, index: number, directory: string): Place {
  return {
    kind: 'namespace',
    index,
    namespace,
    listen: { address: `10.71.${index}.1`, port: 2121 },
    serverSideAddress: `10.72.${index}.1`,
    upstream: { address: `10.72.${index}.2`, port: 21 },
    upstreamForRelays: { address: `10.72.${index}.2`, port: 2100 },
    dataPorts,
    adminPort: 9121,
    directory,
  }
}

/** Ports that depend on our pid, so that two runs on one machine seldom meet. */
function loopbackPlace(index: number, directory: string): Place {
  const base = 20_000 + (process.pid % 20) * 500 + index * 10
  return {
    kind: 'loopback',
    index,
    namespace: null,
    listen: { address: '127.0.0.1', port: base },
    serverSideAddress: '127.0.0.1',
    upstream: { address: '127.0.0.1', port: base + 1 },
    upstreamForRelays: { address: '127.0.0.1', port: base + 2 },
    dataPorts: { first: 50_000 + index * 1000, last: 50_999 + index * 1000 },
    adminPort: base + 3,
    directory,
  }
}
