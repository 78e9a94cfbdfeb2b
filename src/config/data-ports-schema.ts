// `dataPorts` of the configuration file: a range as text, or a map. `data-ports.ts` makes sense of it.

import type { z } from 'zod'
import { choiceOfShapes, integerField, section, textField } from './field.ts'
import { portRangeForm } from './port-range.ts'

export type DataPortsSection = z.output<typeof dataPortsSchema>

export const defaultDataPorts = '30000-30999'

const listenRange = textField(portRangeForm, 'The ports that we listen on.')
const announceRange = textField(
  portRangeForm,
  'The announced ports, in the same order: what a balancer maps to `listen`. Same length; without it the listened ports are announced.',
)

const sideRange = (description: string) =>
  choiceOfShapes(
    [
      textField(portRangeForm, description),
      section({ listen: listenRange, announce: announceRange.optional() }, description),
    ],
    {
      description,
      kind: 'port range or map',
      allowed: `${portRangeForm.allowed}, or { listen: 30000-30999, announce: 40000-40999 }`,
    },
  )

export const dataPortsSchema = choiceOfShapes(
  [
    textField(portRangeForm, 'One pool of ports for both sides.'),
    section(
      {
        listen: textField(portRangeForm, 'One pool of ports for both sides.').optional(),
        announce: announceRange.optional(),
        client: sideRange('Ports for data connections from clients (PASV, EPSV).').optional(),
        server: sideRange('Ports for data connections from servers (PORT, EPRT).').optional(),
        slice: section(
          {
            index: integerField({ min: 0, max: 1023 }, 'Which part is ours, counted from 0.'),
            of: integerField({ min: 1, max: 1024 }, 'How many instances share the ranges.'),
          },
          'Cuts every range into equal parts, so that instances with the same file use different ports.',
        ).optional(),
      },
      'Either `listen` (one pool) or `client` and `server` (two).',
    ),
  ],
  {
    description:
      'Ports for data connections: one pool for both sides as FIRST-LAST, or a map with the keys below. Firewalls and Services must let all of them through.',
    kind: 'port range or map',
    allowed: `${portRangeForm.allowed}, or a map of listen, announce, client, server and slice`,
  },
)
