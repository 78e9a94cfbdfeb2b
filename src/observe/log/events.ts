// Every event that the observer itself logs. An event has one level and one message, so that a filter or an
// alert written once keeps working; docs/logs.md lists them with their fields, a test holds both equal.

import type { LogLevel } from '../../vocabulary.ts'

export interface EventText {
  readonly level: LogLevel
  readonly message: string
}

export const events = {
  'listener.start': { level: 'info', message: 'listening' },
  'tcp.fallback': {
    level: 'warn',
    message: 'epoll is not available: connections use the sockets of Node, at more CPU time',
  },
  'drain.start': { level: 'info', message: 'draining: no new sessions' },
  'interception.miss': {
    level: 'warn',
    message:
      'rules that bring clients here are missing (ftp-alg firewall --apply puts them there): nobody arrives',
  },
  'interception.recover': { level: 'info', message: 'the rules that bring clients here are in place again' },
  'config.reload': { level: 'info', message: 'configuration reloaded' },
  'config.refuse': { level: 'error', message: 'configuration refused, the old one stays' },
  'admin.error': { level: 'warn', message: 'admin server error' },
  'admin.fail': { level: 'error', message: 'admin request failed' },
  'session.open': { level: 'info', message: 'session opened' },
  'session.reject': { level: 'warn', message: 'connection sent away with 421' },
  'session.close': { level: 'info', message: 'session closed' },
  'session.fail': { level: 'error', message: 'session ended by a defect of this proxy' },
  'translation.restore': { level: 'warn', message: 'conntrack had forgotten the client, it was told again' },
  'translation.lose': { level: 'warn', message: 'conntrack has forgotten the client, its session ends' },
  'upstream.connect': { level: 'debug', message: 'connected to the server' },
  'upstream.reject': { level: 'warn', message: 'the server sent the session away in its greeting' },
  'upstream.fail': { level: 'warn', message: 'no connection to the server' },
  'upstream.lose': { level: 'warn', message: 'a server of a pool is down' },
  'upstream.recover': { level: 'info', message: 'a server of a pool is up again' },
  command: { level: 'debug', message: 'command from the client' },
  reply: { level: 'debug', message: 'reply from the server' },
  'login.accept': { level: 'debug', message: 'login accepted' },
  'login.refuse': { level: 'info', message: 'login refused by the server' },
  rewrite: { level: 'debug', message: 'endpoint rewritten' },
  convert: { level: 'debug', message: 'mode converted' },
  'command.deny': { level: 'warn', message: 'command denied' },
  'protocol.error': { level: 'warn', message: 'protocol error' },
  'pinhole.open': { level: 'info', message: 'pinhole opened' },
  'pinhole.close': { level: 'info', message: 'pinhole closed' },
  'pinhole.refuse': { level: 'warn', message: 'no pinhole: no data port is free for this client' },
  'pinhole.fail': { level: 'error', message: 'no pinhole: the backend failed' },
  'pinhole.intrude': { level: 'warn', message: 'unexpected connection to a data port, turned away' },
  'pinhole.swallow': {
    level: 'warn',
    message:
      'a chain of the firewall dropped what a pinhole let in: accept the ct mark there (ftp-alg firewall prints the line)',
  },
  'data.open': { level: 'debug', message: 'data channel up' },
  'data.fail': { level: 'warn', message: 'data connection failed' },
  'tls.secure': { level: 'debug', message: 'TLS handshake done' },
  'tls.fail': { level: 'warn', message: 'TLS handshake failed' },
  'tls.stranger': {
    level: 'warn',
    message: 'data connection of somebody else, or of a client that cannot resume',
  },
  'tls.truncate': { level: 'warn', message: 'data connection ended without close_notify' },
  'tls.downgrade': { level: 'warn', message: 'going on in clear: the server refused TLS' },
  transfer: { level: 'info', message: 'transfer over' },
  'transfers.open': { level: 'info', message: 'transfer log opened' },
  'transfers.fail': {
    level: 'error',
    message: 'transfer log cannot be written, it is tried again every second',
  },
  'transfers.recover': { level: 'info', message: 'transfer log is written again' },
  'log.suppress': { level: 'warn', message: 'identical lines left out' },
  'log.lose': { level: 'warn', message: 'log lines lost' },
} as const satisfies Readonly<Record<string, EventText>>

export type EventName = keyof typeof events
