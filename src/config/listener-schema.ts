// `listeners[]` of the configuration file.

import type { z } from 'zod'
import { audienceForm, hostForm } from './address.ts'
import { complaint } from './complaint.ts'
import type { ListenerTlsConfig } from './config.ts'
import { durationForm } from './duration.ts'
import {
  choiceField,
  choiceOfShapes,
  integerField,
  listField,
  section,
  textField,
  untilRestart,
  wordForm,
} from './field.ts'
import { loginSchema } from './login-schema.ts'
import { networks } from './networks-field.ts'
import { namedRoutes, routesSchema } from './routes-schema.ts'
import { listenForm, upstreamForm } from './socket-address.ts'
import { tlsSchema, upstreamTlsSchema } from './tls-schema.ts'
import { upstreamModeField, upstreamVerbsField } from './upstream-fields.ts'

export type ListenerSection = z.output<typeof listenerSchema>

export const defaultListenerName = 'default'

const nameForm = wordForm({
  name: 'listener',
  allowed: 'up to 63 letters, digits, dots, hyphens and underscores, as in edge',
  pattern: '^[0-9A-Za-z][0-9A-Za-z._-]{0,62}$',
})

/** As Linux allows them, without what has a meaning in firewall rules. */
const interfaceForm = wordForm({
  name: 'network interface',
  allowed: 'up to 15 letters, digits and the characters _.:-, as in lan0',
  pattern: '^[0-9A-Za-z_.:-]{1,15}$',
})

const advertiseRules = (about: string) =>
  listField(
    section(
      {
        to: textField(audienceForm, 'The peers that this rule is for.'),
        address: textField(
          hostForm,
          'The address announced to them: an address, a DNS name, which is resolved again as its TTL passes, or `own`, our own address on that control connection.',
        ),
      },
      'One rule; the first that matches the peer wins.',
    ),
    {
      description: about,
      kind: 'list',
      allowed: 'a list of rules such as { to: 10.0.0.0/8, address: 10.1.0.1 }',
    },
  ).prefault([])

export const listenerSchema = section(
  {
    name: textField(nameForm, 'Names the listener in logs, metrics and rules; unique.').prefault(
      defaultListenerName,
    ),
    listen: untilRestart(
      textField(
        listenForm,
        'Where clients connect, or where intercepted clients are redirected to.',
      ).prefault('0.0.0.0:2121'),
    ),
    intercept: untilRestart(
      choiceField(
        ['none', 'redirect', 'tproxy'],
        'How clients get here: by connecting to us, or by an nftables `redirect` or `tproxy` rule.',
      ).prefault('none'),
    ),
    proxyProtocol: untilRestart(
      section(
        {
          from: networks(
            'The balancers: every connection from there, control or data, must begin with a PROXY header (version 1 or 2), and is then taken for the client’s that it names. From elsewhere none is understood.',
          ),
        },
        'For clients that come through a balancer. Without an advertise rule the address announced to them is the one that the header says they connected to. Data connections need it only where they come through the balancer too, and the pinholes of the relay.',
      ).prefault({}),
    ),
    matches: section(
      {
        ports: listField(integerField({ min: 1, max: 65_535 }, 'A port.'), {
          description: 'The ports of other machines on which FTP servers listen.',
          kind: 'list',
          allowed: 'one or more ports, as in [21, 2100]',
        })
          .min(1, {
            error: ({ input }) =>
              complaint('is empty', { given: input, allowed: 'one or more ports, as in [21]' }),
          })
          .prefault([21]),
        interfaces: listField(textField(interfaceForm, 'An interface.'), {
          description: 'Where such connections come from; empty for everywhere.',
          kind: 'list',
          allowed: 'a list of interfaces, as in [lan0]',
        }).prefault([]),
      },
      'Which connections the rules of `ftp-alg firewall` bring here when intercept is not none.',
    ).prefault({}),
    upstream: textField(
      upstreamForm,
      'The FTP server behind us. Required when intercept is none and there are neither routes nor login, and not allowed with login or interception: an intercepted connection brings its own destination.',
    )
      .optional()
      .transform((upstream) => upstream ?? null),
    routes: routesSchema,
    login: loginSchema.optional(),
    source: untilRestart(
      choiceField(
        ['proxy', 'client'],
        'The address that the server sees: ours, or the client’s own. `client` needs `tproxy` or an `upstream`, the rules of `ftp-alg firewall`, and a server whose answers to clients come back through this machine.',
      ).prefault('proxy'),
    ),
    upstreamMode: upstreamModeField(
      'How data connections with the server are opened: as the client does it, or always one way, converting where the client differs.',
    ).prefault('client'),
    upstreamVerbs: upstreamVerbsField(
      'The verbs that the server is asked with, in order, the next one when it refuses; empty for the client’s own, or whatever a conversion needs. [PASV] for a server or a firewall that knows nothing else.',
    ).prefault([]),
    upstreamKeepAlive: choiceOfShapes([textField(durationForm, 'A time.'), choiceField(['off'], 'Never.')], {
      description:
        'After this much silence of the client in a transfer, we send NOOP in its place: for servers and firewalls that drop a control connection that is quiet.',
      kind: 'duration or off',
      allowed: 'a duration such as 60s, or off',
    }).prefault('off'),
    activeSourcePort: choiceOfShapes(
      [integerField({ min: 1, max: 65_535 }, 'A port.'), choiceField(['any'], 'Whatever the system gives.')],
      {
        description:
          'The port from which we call clients in active mode, for firewalls that expect the server’s: 20 beside a control port 21 (RFC 959 §3.2). A port below 1024 needs CAP_NET_BIND_SERVICE; without it, and towards an endpoint that is connected with it, it is any port. What the kernel forwards keeps the port of the server; an intercepted client is called from the port before its server’s anyway.',
        kind: 'whole number or any',
        allowed: '1 to 65535, or any',
      },
    )
      .prefault('any')
      .transform((port) => (port === 'any' ? null : port)),
    advertise: section(
      {
        clients: advertiseRules('The address in 227 replies to clients.'),
        servers: advertiseRules('The address in PORT and EPRT to servers.'),
      },
      'Addresses to announce instead of our own address on that control connection, where we are behind NAT or a balancer.',
    ).prefault({}),
    tls: tlsSchema.prefault({}),
    upstreamTls: upstreamTlsSchema.prefault({}),
  },
  'One place where clients arrive.',
).transform(({ upstreamKeepAlive, tls, upstreamTls, routes, login, ...rest }) => ({
  ...rest,
  ...(login === undefined ? {} : { login }),
  ...(routes.length === 0 ? {} : { routes: namedRoutes(routes) }),
  ...(tls === null ? {} : tlsOf(tls)),
  ...(upstreamTls === null ? {} : { upstreamTls }),
  upstreamKeepAliveMs: upstreamKeepAlive === 'off' ? null : upstreamKeepAlive,
}))

interface TlsParts {
  readonly tls?: ListenerTlsConfig
  readonly passthrough?: 'explicit' | 'implicit'
}

/** Our own TLS, or what passes through. */
function tlsOf(tls: NonNullable<z.output<typeof tlsSchema>>): TlsParts {
  if (tls.mode === 'passthrough') return { passthrough: 'explicit' }
  return tls.mode === 'passthrough-implicit' ? { passthrough: 'implicit' } : { tls }
}
