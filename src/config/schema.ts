// The configuration file as zod sees it: every key with its form, its default and one sentence about it. Rules
// that look at more than one key are in `rules.ts`.

import type { z } from 'zod'
import { adminSchema } from './admin-schema.ts'
import { complaint } from './complaint.ts'
import { dataPortsSchema, defaultDataPorts } from './data-ports-schema.ts'
import { durationForm } from './duration.ts'
import { flagField, integerField, listField, section, textField, untilRestart } from './field.ts'
import { limitsSchema, policySchema } from './limits-schema.ts'
import { listenerSchema } from './listener-schema.ts'
import { logSchema } from './log-schema.ts'
import { pinholesSchema } from './pinholes-schema.ts'
import { poolSchema } from './upstreams-schema.ts'

/** What comes out of the file when every value in it is right: a `Config`, with `dataPorts` still as written. */
export type FileSections = z.output<typeof fileSchema>

const allowedListeners =
  'listeners in the file named by --config, or one by --upstream HOST or FTP_ALG_UPSTREAM=HOST'

/** In the order in which people read them. */
export const sections = {
  upstreams: listField(poolSchema, {
    description: 'Pools of FTP servers, which `upstream` of a listener can name.',
    kind: 'list',
    allowed: 'a list of pools such as { name: mainframe, servers: [{ address: ftp-a.internal:21 }] }',
  }).prefault([]),
  listeners: listField(listenerSchema, {
    description: 'Where clients arrive, one entry each.',
    kind: 'list',
    allowed: allowedListeners,
  }).min(1, {
    error: ({ input }) =>
      complaint('needs at least one listener', { given: input, allowed: allowedListeners }),
  }),
  dataPorts: untilRestart(dataPortsSchema.prefault(defaultDataPorts)),
  pinholes: pinholesSchema.prefault({}),
  limits: limitsSchema.prefault({}),
  policy: policySchema.prefault({}),
  admin: adminSchema,
  log: logSchema.prefault({}),
  shutdown: section(
    {
      drainTimeout: textField(
        durationForm,
        'How long running transfers may take after SIGTERM, until they are cut off.',
      ).prefault('5m'),
    },
    'How the process ends.',
  )
    .transform(({ drainTimeout }) => ({ drainTimeoutMs: drainTimeout }))
    .prefault({}),
  reloadOnChange: flagField(
    'Whether a change of this file is taken up as with SIGHUP, without a signal. Symbolic links may change too, as those of a mounted ConfigMap do.',
  ).prefault(false),
  workers: untilRestart(integerField({ min: 1, max: 128 }, 'Processes that share the work.').prefault(1)),
}

export const fileSchema = section(sections, 'The configuration of ftp-alg.')
