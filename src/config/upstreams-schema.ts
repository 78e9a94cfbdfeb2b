// `upstreams[]` of the configuration file: pools of FTP servers.

import { z } from 'zod'
import { complaint } from './complaint.ts'
import { durationForm } from './duration.ts'
import {
  choiceField,
  choiceOfShapes,
  flagField,
  integerField,
  listField,
  section,
  textField,
  wordForm,
} from './field.ts'
import { filePathForm } from './log-schema.ts'
import { upstreamForm } from './socket-address.ts'
import { srvForm } from './srv.ts'
import { upstreamTlsSchema } from './tls-schema.ts'
import { upstreamModeField, upstreamVerbsField } from './upstream-fields.ts'
import { viaForm } from './via.ts'

export type PoolSection = z.output<typeof poolSchema>

const poolNameForm = wordForm({
  name: 'pool',
  allowed: 'up to 63 letters, digits, dots, hyphens and underscores, as in mainframe',
  pattern: '^[0-9A-Za-z][0-9A-Za-z._-]{0,62}$',
})

const userForm = wordForm({
  name: 'user',
  allowed: 'up to 255 characters without line ends, as in monitor',
  pattern: '^[^\\x00-\\x20\\x7f][^\\x00-\\x1f\\x7f]{0,254}$',
})

const allowedServers = 'one or more servers such as { address: ftp-a.internal:21 }'

const serverSchema = section(
  {
    address: textField(
      upstreamForm,
      'The FTP server; a name with several addresses is several servers, and is resolved again as its TTL passes. This or `srv`.',
    ).optional(),
    srv: textField(
      srvForm,
      'A service in DNS, whose SRV records have hosts, ports, priorities (those after the first are backups) and weights (times `weight`).',
    ).optional(),
    weight: integerField({ min: 1, max: 256 }, 'Its share beside the others.').prefault(1),
    backup: flagField('Used only while no other server of the pool can be.').prefault(false),
    maxSessions: choiceOfShapes(
      [integerField({ min: 1, max: 1_000_000 }, 'Sessions.'), choiceField(['unlimited'], 'Any number.')],
      {
        description: 'Sessions that it takes at once from one process of ours.',
        kind: 'whole number or unlimited',
        allowed: '1 to 1000000, or unlimited',
      },
    ).prefault('unlimited'),
  },
  'One server.',
).transform(({ address, srv, maxSessions, ...rest }, context) => {
  if ((address === undefined) === (srv === undefined)) {
    const about = { given: srv, allowed: 'address: HOST:PORT or srv: _SERVICE._tcp.DOMAIN' }
    const message = complaint(srv === undefined ? 'is required' : 'goes without address', about)
    const path = [srv === undefined ? 'address' : 'srv']
    context.issues.push({ code: 'custom', message, input: srv, path })
    return z.NEVER
  }
  return {
    ...(address ?? { host: srv ?? '', port: 0, isSrv: true as const }),
    ...rest,
    maxSessions: maxSessions === 'unlimited' ? null : maxSessions,
  }
})

const healthSchema = choiceOfShapes(
  [
    section(
      {
        interval: textField(durationForm, 'The time between two checks of one server.').prefault('10s'),
        timeout: textField(
          durationForm,
          'A server that has not answered by then has failed, to a check and to a client.',
        ).prefault('5s'),
        expect: choiceField(
          ['connect', 'greeting', 'login'],
          'What a server has to do: accept a connection; greet with 220, and with `upstreamTls` of the pool speak TLS; or let `user` in after that.',
        ).prefault('greeting'),
        user: textField(userForm, 'Whom a check with `expect: login` logs in as.').optional(),
        passwordFile: textField(
          { ...filePathForm, allowed: 'an absolute path such as /etc/ftp-alg/check.password' },
          'A file with the password of `user`: one line. It is read for each check.',
        ).optional(),
        rise: integerField({ min: 1, max: 100 }, 'Successful checks in a row until it is up.').prefault(2),
        fall: integerField({ min: 1, max: 100 }, 'Failed checks in a row until it is down.').prefault(3),
      },
      'Checks.',
    ),
    z.literal(false),
  ],
  {
    description:
      'Checks of each server, whether clients come or not; false for none. A client that cannot be served finds a server down at once, in both cases; without checks it is tried again after 10 seconds.',
    kind: 'map or false',
    allowed: 'a map of interval, timeout, expect, user, passwordFile, rise and fall, or false',
  },
)
  .prefault({})
  .transform((health) => {
    if (health === false) return null
    const { interval, timeout, ...rest } = health
    return { intervalMs: interval, timeoutMs: timeout, ...rest }
  })

export const poolSchema = section(
  {
    name: textField(poolNameForm, 'Names the pool in `upstream` of listeners, in metrics and logs; unique.'),
    servers: listField(serverSchema, {
      description: 'Its servers, which have the same files.',
      kind: 'list',
      allowed: allowedServers,
    }).min(1, {
      error: ({ input }) => complaint('is empty', { given: input, allowed: allowedServers }),
    }),
    balance: choiceField(
      ['first', 'roundRobin', 'leastSessions', 'clientHash'],
      'Which server a client gets: the first that is available, each in turn by weight, the one with the fewest sessions by weight, or always the same by the client’s address. A client that has sessions gets the server of these.',
    ).prefault('leastSessions'),
    health: healthSchema,
    slowStart: textField(
      durationForm,
      'A server that was down gets a share of its weight that grows evenly for so long, with the balances roundRobin and leastSessions; absent: all of it at once.',
    ).optional(),
    proxyProtocol: choiceField(
      ['off', 'v1', 'v2'],
      'The PROXY header that tells the server, on the control connection, who the client is.',
    ).prefault('off'),
    via: textField(
      viaForm,
      'A SOCKS5 or HTTP proxy (CONNECT) through which control and data connections to its servers go. It resolves their names. `upstreamMode` must be passive.',
    )
      .optional()
      .transform((via) => via ?? null),
    connectTimeout: textField(
      durationForm,
      'How long a control connection to one of its servers may take, before the next one is tried; absent: `limits.connect`.',
    ).optional(),
    upstreamMode: upstreamModeField(
      'In place of the listener’s `upstreamMode`, for these servers.',
    ).optional(),
    upstreamVerbs: upstreamVerbsField(
      'In place of the listener’s `upstreamVerbs`, for these servers.',
    ).optional(),
    upstreamTls: upstreamTlsSchema.optional(),
  },
  'One pool of FTP servers. The client hears nothing of a server that cannot be reached, does not greet or greets with a refusal, while another is left.',
).transform(({ connectTimeout, slowStart, ...rest }) => ({
  ...rest,
  connectMs: connectTimeout,
  slowStartMs: slowStart,
}))
