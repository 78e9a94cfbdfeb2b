// The name of a service in DNS, which has hosts, ports, priorities and weights. @see RFC 2782

import { parseHost } from './address.ts'
import { accept, type Parsed, refuse, type TextForm } from './complaint.ts'

export const srvForm: TextForm<string> = {
  name: 'SRV name',
  allowed: '_SERVICE._tcp.DOMAIN, as in _ftp._tcp.example.net',
  pattern: '^_[0-9A-Za-z-]+\\._[Tt][Cc][Pp]\\.[0-9A-Za-z_.-]+$',
  parse: parseSrv,
}

/** `'_FTP._tcp.Example.net'` gives `'_ftp._tcp.example.net'`. */
function parseSrv(text: string): Parsed<string> {
  if (!/^_[0-9a-z-]+\._tcp\../i.test(text)) return refuse('is not the name of a service over TCP')
  const host = parseHost(text)
  return host.ok ? accept(host.value) : refuse('is not a DNS name')
}
