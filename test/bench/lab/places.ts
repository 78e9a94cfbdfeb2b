import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { issueCertificate } from '../../support/certificates.ts'
import type { Network } from './network.ts'
import { dataPorts } from './network.ts'
import type { Place } from './place.ts'

/** Without a network everything is on loopback, told apart by port. */
export async function makePlaces(
  howMany: number,
  network: Network | null,
  scratch: string,
): Promise<Place[]> {
  const identity = writeIdentity(scratch)
  const places: Place[] = []
  for (let index = 1; index <= howMany; index++) {
    await network?.addMiddle(index)
    const directory = join(scratch, `place-${index}`)
    mkdirSync(directory)
    places.push(
      network === null
        ? loopbackPlace(index, { directory, identity })
        : namespacePlace(network.middle(index), index, { directory, identity }),
    )
  }
  return places
}

type Files = Pick<Place, 'directory' | 'identity'>

function namespacePlace(namespace: string, index: number, files: Files): Place {
  return {
    kind: 'namespace',
    index,
    namespace,
    listen: { address: `10.71.${index}.1`, port: 2121 },
    serverSideAddress: `10.72.${index}.1`,
    upstream: { address: `10.72.${index}.2`, port: 21 },
    upstreamForRelays: { address: `10.72.${index}.2`, port: 2100 },
    // mod_proxy takes 990 for implicit TLS, and no other port.
    upstreamTls: { address: `10.72.${index}.2`, port: 990 },
    upstreamTlsForRelays: { address: `10.72.${index}.2`, port: 2990 },
    dataPorts,
    adminPort: 9121,
    ...files,
  }
}

/** Ports that depend on our pid, so that two runs on one machine seldom meet. */
function loopbackPlace(index: number, files: Files): Place {
  const base = 20_000 + (process.pid % 20) * 500 + index * 10
  return {
    kind: 'loopback',
    index,
    namespace: null,
    listen: { address: '127.0.0.1', port: base },
    serverSideAddress: '127.0.0.1',
    upstream: { address: '127.0.0.1', port: base + 1 },
    upstreamForRelays: { address: '127.0.0.1', port: base + 2 },
    upstreamTls: { address: '127.0.0.1', port: base + 4 },
    upstreamTlsForRelays: { address: '127.0.0.1', port: base + 5 },
    dataPorts: { first: 50_000 + index * 1000, last: 50_999 + index * 1000 },
    adminPort: base + 3,
    ...files,
  }
}

/** ECDSA P-256, the same for all systems and for the load server. */
function writeIdentity(scratch: string): Place['identity'] {
  const { certificate, key } = issueCertificate({ name: 'bench' })
  const files = { certificate: 'bench.crt', key: 'bench.key', both: 'bench.pem' }
  const texts = { certificate, key, both: certificate + key }
  const path = (name: keyof typeof files) => {
    const file = join(scratch, files[name])
    writeFileSync(file, texts[name], { mode: name === 'certificate' ? 0o644 : 0o600 })
    return file
  }
  return { certificate: path('certificate'), key: path('key'), both: path('both') }
}
