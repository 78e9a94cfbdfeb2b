// Every event of the log. An event has one level and one message, so that a filter or an
// alert written once keeps working; docs/logs.md lists them with their fields, a test holds both equal.

import type { LogLevel } from '../../vocabulary.ts'

export interface EventText {
  readonly level: LogLevel
  readonly message: string
}

export const events = {
  'listener.start': { level: 'info', message: 'listening' },
  'listener.drain': { level: 'info', message: 'an operator drains this listener: new clients get 421' },
  'listener.resume': { level: 'info', message: 'an operator lets this listener take clients again' },
  'tcp.fallback': {
    level: 'warn',
    message: 'epoll is not available: connections use the sockets of Node, at more CPU time',
  },
  'drain.start': { level: 'info', message: 'draining: no new sessions' },
  'interception.miss': {
    level: 'warn',
    message:
      'rules that bring connections here are missing (ftp-alg firewall --apply puts them there): clients, or answers of servers, do not arrive',
  },
  'interception.recover': {
    level: 'info',
    message: 'the rules that bring connections here are in place again',
  },
  'config.reload': { level: 'info', message: 'configuration reloaded' },
  'config.refuse': { level: 'error', message: 'configuration refused, the old one stays' },
  'certificate.load': { level: 'info', message: 'certificate read' },
  'certificate.fail': {
    level: 'error',
    message: 'changed files of certificates and keys refused, the old ones stay',
  },
  'certificate.expire': { level: 'warn', message: 'certificate ends within 14 days, or has ended' },
  'admin.error': { level: 'warn', message: 'admin server error' },
  'admin.act': { level: 'info', message: 'an operator acts' },
  'admin.refuse': { level: 'warn', message: 'an operation was refused' },
  'admin.fail': { level: 'error', message: 'admin request failed' },
  'session.open': { level: 'info', message: 'session opened' },
  'session.reject': { level: 'warn', message: 'connection sent away with 421' },
  'session.close': { level: 'info', message: 'session closed' },
  'session.fail': { level: 'error', message: 'session ended by a defect of this proxy' },
  'translation.restore': {
    level: 'warn',
    message: 'conntrack had forgotten the client; its translation was restored',
  },
  'translation.lose': { level: 'warn', message: 'conntrack has forgotten the client, its session ends' },
  'upstream.connect': { level: 'debug', message: 'connected to the server' },
  'upstream.reject': { level: 'warn', message: 'the server sent the session away in its greeting' },
  'upstream.fail': { level: 'warn', message: 'no connection to the server' },
  'upstream.check': { level: 'warn', message: 'the servers of a pool cannot be checked' },
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
  'tls.flood': { level: 'warn', message: 'TLS without data, one record after the other: connection closed' },
  'tls.pass': {
    level: 'info',
    message:
      'TLS passes through unseen: data connections of this session work only where the network lets them through',
  },
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
  'process.start': { level: 'info', message: 'ftp-alg is running' },
  'process.fail': { level: 'error', message: 'cannot start' },
  'process.error': { level: 'error', message: 'unexpected error, the process goes on' },
  'process.drain': { level: 'info', message: 'draining: no new sessions, transfers finish' },
  'process.stop': { level: 'warn', message: 'second signal, stopping at once' },
  'process.exit': { level: 'info', message: 'ftp-alg has stopped' },
  'drain.timeout': { level: 'warn', message: 'sessions cut off at the end of the drain' },
  'config.change': { level: 'info', message: 'the configuration file has changed' },
  'config.warning': { level: 'warn', message: 'the configuration is valid, but see detail' },
  'config.restart_needed': { level: 'warn', message: 'some changes need a restart' },
  'listener.error': { level: 'error', message: 'cannot accept connections' },
  'listener.recover': { level: 'info', message: 'connections are accepted again' },
  'descriptors.low': { level: 'warn', message: 'too few file descriptors for limits.sessions: fewer get in' },
  'names.change': { level: 'info', message: 'name has other addresses' },
  'names.fail': { level: 'warn', message: 'name does not resolve, keeping what is known' },
  'advertise.fail': { level: 'warn', message: 'advertised name does not resolve' },
  'worker.start': { level: 'info', message: 'a worker runs' },
  'worker.hang': { level: 'error', message: 'a worker gives no sign of life and is killed' },
  'worker.exit': { level: 'error', message: 'a worker died and is being replaced' },
  'worker.fail': { level: 'error', message: 'a worker cannot be replaced yet' },
  'systemd.fail': { level: 'warn', message: 'systemd cannot be notified' },
  'source_port.deny': {
    level: 'warn',
    message:
      'the port of activeSourcePort is not available (below 1024 it needs CAP_NET_BIND_SERVICE): active clients are called from any port',
  },
  'tables.keep': { level: 'warn', message: 'tables of an earlier run cannot be removed' },
  'tables.lose': { level: 'warn', message: 'our nftables tables were removed from outside' },
  'tables.change': { level: 'warn', message: 'the rules in our nftables tables were changed from outside' },
  'strangers.ignore': {
    level: 'warn',
    message: 'connections to data ports without a pinhole are not counted',
  },
} as const satisfies Readonly<Record<string, EventText>>

export type EventName = keyof typeof events
