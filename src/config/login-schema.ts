// `listeners[].login` of the configuration file: the forward proxy.

import type { DestinationRule } from '../routing/destinations.ts'
import { parseAddress, parseNetwork } from './address.ts'
import { accept, type Parsed, refuse, type TextForm } from './complaint.ts'
import { listField, section, textField } from './field.ts'
import { networks } from './networks-field.ts'
import { parsePort } from './port-range.ts'
import { hostPattern } from './routes-schema.ts'

export const destinationForm: TextForm<DestinationRule> = {
  name: 'destination',
  allowed:
    'HOST, NETWORK or [IPv6 NETWORK], each with :PORT or :FIRST-LAST; * in a host stands for any characters, without a port it is 21, as in *.example.net:21 or 10.9.0.0/16:21',
  pattern: '^(\\[[0-9A-Fa-f:./]+\\]|[0-9A-Za-z_.*/-]+)(:[0-9]{1,5}(-[0-9]{1,5})?)?$',
  parse: parseDestination,
}

export const loginSchema = section(
  {
    clients: networks('Who may use it.'),
    destinations: listField(textField(destinationForm, 'A destination.'), {
      description:
        'The servers that clients may name. A name is for names, a network for addresses. Loopback and link-local addresses must be listed as such a network, addresses of this machine and metadata services of clouds one by one, whatever a name resolves to.',
      kind: 'list',
      allowed: "a list of destinations such as ['*.example.net:21', '10.9.0.0/16:21']",
    }).prefault([]),
  },
  'A forward proxy: clients name their server, as USER name@host:port, or OPEN host or SITE host before USER. Needs both lists.',
)

/** `'*.Example.net'` gives the pattern `'*.example.net'` with port 21. */
export function parseDestination(text: string): Parsed<DestinationRule> {
  const [, bracketed, plain = '', digits] = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::(.*))?$/.exec(text) ?? []
  if (bracketed === undefined && plain === '') return refuse('is no destination')
  const ports = parsePorts(digits ?? '21')
  if (!ports.ok) return ports
  const host = bracketed ?? plain
  if (bracketed !== undefined || host.includes('/') || parseAddress(host).ok) {
    const network = parseNetwork(host)
    return network.ok ? accept({ host: network.value, isNetwork: true, ports: ports.value }) : network
  }
  if (!hostPattern.test(host) || /^[0-9.]+$/.test(host)) return refuse('is neither a host nor a network')
  return accept({ host: host.toLowerCase(), isNetwork: false, ports: ports.value })
}

function parsePorts(text: string): Parsed<DestinationRule['ports']> {
  const [first = '', last = first, ...more] = text.split('-')
  const [from, to] = [parsePort(first), parsePort(last)]
  if (!from.ok) return from
  if (!to.ok) return to
  if (more.length > 0) return refuse('has ports that are no range')
  return from.value > to.value
    ? refuse('has ports that end before they begin')
    : accept({ first: from.value, last: to.value })
}
