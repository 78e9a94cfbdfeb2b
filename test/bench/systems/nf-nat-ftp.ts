import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { command, tryCommand } from '../lab/command.ts'
import type { Place } from '../lab/place.ts'
import type { System } from './system.ts'

/** The kernel's own helper behind a destination NAT: no process at all. */
export const nfNatFtp: System = {
  id: 'nf_nat_ftp',
  title: 'kernel nf_nat_ftp',
  role: 'peer',
  needsNamespace: true,
  forwardsInKernel: true,
  compilesAtRunTime: false,
  suits: new Set(['sessions', 'bulk', 'parallel', 'roundTrip', 'pinhole']),
  maxIdleSessions: 0,
  async prepare() {
    if (!(await tryCommand('nft', ['--version'])).ok)
      return { ok: false, reason: 'nft is missing: apt-get install nftables' }
    // Built in or loaded already when modprobe is absent; the probe session tells.
    await tryCommand('modprobe', ['nf_nat_ftp'])
    const version = (await tryCommand('uname', ['-r'])).stdout.trim()
    return {
      ok: true,
      version: `Linux ${version.split('-')[0] ?? version}`,
      start: async (place) => {
        const file = join(place.directory, 'nf_nat_ftp.nft')
        if (!existsSync(file)) {
          writeFileSync(file, ruleSet(place))
          await command('nsenter', `--net=/run/netns/${place.namespace}`, '--', 'nft', '-f', file)
        }
        return {
          target: { at: { address: place.listen.address, port: place.upstream.port }, user: 'anonymous' },
          child: null,
        }
      },
    }
  },
}

function ruleSet({ listen, upstream }: Place): string {
  return `
table ip bench {
  ct helper ftp { type "ftp" protocol tcp; }
  chain helpers {
    type filter hook prerouting priority filter;
    ip daddr ${listen.address} tcp dport ${upstream.port} ct helper set "ftp"
    ip daddr ${upstream.address} tcp dport ${upstream.port} ct helper set "ftp"
  }
  chain to_server {
    type nat hook prerouting priority dstnat;
    ip daddr ${listen.address} tcp dport ${upstream.port} dnat to ${upstream.address}
  }
}
`
}
