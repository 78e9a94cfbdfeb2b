// The tables of this instance as a whole, whichever of its processes makes them: no other process's meanwhile, and none left
// of an earlier run that had other workers.

import { pinholeTablesIn } from '../../firewall/table-names.ts'
import { loadLibc } from '../../kernel/libc.ts'
import { openNft } from '../../kernel/nft.ts'
import { requireNetAdmin } from '../../kernel/privilege.ts'
import { lockTables } from '../../kernel/table-lock.ts'

export interface OwnTables {
  /** Call when every table that is used is there: connections that run need the NAT hooks of at least one. */
  sweep(used: readonly string[]): Promise<void>
  /** Others may have them now. Any number of times. */
  release(): void
}

/**
 * Reserves the tables of a name, those of workers too, until `release`.
 *
 * Errors: PRIVILEGE_MISSING, KERNEL_FEATURE_MISSING, RUNTIME_FAILED while another instance has them.
 */
export async function reserveTables(table: string): Promise<OwnTables> {
  requireNetAdmin('pinholes.backend: nftables')
  const { release } = await lockTables(await loadLibc(), table)
  return {
    release,
    async sweep(used) {
      const nft = await openNft()
      try {
        const left = pinholeTablesIn(nft.run('list tables'), table).filter(({ name }) => !used.includes(name))
        for (const { family, name } of left) nft.run(`delete table ${family} ${name}`)
      } finally {
        nft.close()
      }
    },
  }
}
