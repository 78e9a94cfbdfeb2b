// `listeners[].routes` of the configuration file.

import type { z } from 'zod'
import { accept, refuse, type TextForm } from './complaint.ts'
import { listField, section, textField, wordForm } from './field.ts'
import { networks } from './networks-field.ts'
import { parseUpstream, type Upstream, upstreamForm } from './socket-address.ts'

export type RouteSection = z.output<typeof routeSchema>

const routeNameForm = wordForm({
  name: 'route',
  allowed: 'up to 63 letters, digits, dots, hyphens and underscores, as in partners',
  pattern: '^[0-9A-Za-z][0-9A-Za-z._-]{0,62}$',
})

export const hostPattern = /^[0-9A-Za-z_.*-]{1,255}$/

const hostPatternForm: TextForm<string> = {
  name: 'pattern of host names',
  allowed: 'a host name in which * stands for any characters, as in *.example.net',
  pattern: hostPattern.source,
  parse: (text) =>
    hostPattern.test(text) ? accept(text.toLowerCase()) : refuse('is not a pattern of host names'),
}

const userPattern = /^[^\x00-\x1f\x7f]{1,255}$/

const userPatternForm: TextForm<string> = {
  name: 'pattern of user names',
  allowed: 'a user name in which * stands for any characters, as in partner-*',
  pattern: userPattern.source,
  parse: (text) => (userPattern.test(text) ? accept(text) : refuse('is not a pattern of user names')),
}

/** `isBare`: one word without a port, which is a pool or a mistake. */
export type RouteUpstream = Upstream & { readonly isBare: boolean }

const routeUpstreamForm: TextForm<RouteUpstream> = {
  ...upstreamForm,
  allowed: 'the name of a pool, HOST:PORT or [IPv6]:PORT, as in ftp.example.net:21',
  parse: (text) => {
    const parsed = parseUpstream(text)
    if (!parsed.ok) return parsed
    return accept({ ...parsed.value, isBare: !/[.:]/.test(text) && text !== 'localhost' })
  },
}

const routeSchema = section(
  {
    name: textField(
      routeNameForm,
      'Names the route in logs; unique in its listener. Left out it is route-1, and so on.',
    ).optional(),
    clients: networks('The clients it is for; empty for all.'),
    serverName: textField(hostPatternForm, 'The host that they ask for with TLS (SNI).').optional(),
    host: textField(hostPatternForm, 'The host that they name with HOST (RFC 7151).').optional(),
    user: textField(userPatternForm, 'The user that they name.').optional(),
    upstream: textField(routeUpstreamForm, 'Their server, or a pool of `upstreams` by its name.'),
  },
  'One route. All conditions that it names must hold; one that names none is for all clients.',
)

export const routesSchema = listField(routeSchema, {
  description:
    'Which server a client gets. The first route that matches wins; a client that none is for gets `upstream`, or is refused without one. Where that depends on serverName, host or user, we greet in the server’s place and connect after USER.',
  kind: 'list',
  allowed: "a list of routes such as { user: 'partner-*', upstream: partners }",
}).prefault([])

/** Routes with all their keys, named. */
export function namedRoutes(routes: readonly RouteSection[]) {
  return routes.map(({ name, serverName = null, host = null, user = null, upstream, ...rest }, index) => {
    const { isBare, ...target } = upstream
    return { name: name ?? `route-${index + 1}`, ...rest, serverName, host, user, upstream: target, isBare }
  })
}
