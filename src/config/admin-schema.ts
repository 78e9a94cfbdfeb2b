// The section `admin` of the file.

import { z } from 'zod'
import { networkForm } from './address.ts'
import { choiceOfShapes, listField, section, textField, untilRestart } from './field.ts'
import { filePathForm } from './log-schema.ts'
import { listenForm } from './socket-address.ts'

export const adminSchema = choiceOfShapes(
  [
    section(
      {
        listen: untilRestart(
          textField(listenForm, 'Where Prometheus, probes and the status page connect.').prefault(
            '127.0.0.1:9121',
          ),
        ),
        token: untilRestart(
          textField(
            { ...filePathForm, allowed: 'an absolute path such as /etc/ftp-alg/admin.token' },
            'A file with the token for ending sessions, draining and resuming: 16 to 512 characters without spaces. Without it, that cannot be done over HTTP.',
          ).optional(),
        ),
        drainFrom: untilRestart(
          listField(textField(networkForm, 'A network.'), {
            description:
              'Networks from which GET /drain is answered without a token: for preStop hooks of Kubernetes, which come from the node.',
            kind: 'list',
            allowed: 'a list of networks such as [10.0.0.0/24]',
          }).optional(),
        ),
      },
      'Metrics, health, status page.',
    ),
    z.literal(false),
    z.null(),
  ],
  {
    description: 'Metrics, health and the status page over HTTP; false switches them off.',
    kind: 'map or false',
    allowed: 'a map of listen, token and drainFrom, or false',
  },
)
  .prefault({})
  .transform((admin) => admin || null)
