// `limits` and `policy` of the configuration file.

import { networkForm } from './address.ts'
import { byteSizeForm, lineBytesLimits } from './byte-size.ts'
import { complaint } from './complaint.ts'
import { durationForm } from './duration.ts'
import {
  choiceField,
  choiceOfShapes,
  integerField,
  listField,
  section,
  textField,
  untilRestart,
} from './field.ts'
import { networks } from './networks-field.ts'

export const limitsSchema = section(
  {
    sessions: integerField({ min: 1, max: 1_000_000 }, 'Sessions at once, over all listeners.').prefault(
      10_000,
    ),
    sessionsPerClient: integerField(
      { min: 1, max: 1_000_000 },
      'Sessions at once from one client address; with several workers at each of them.',
    ).prefault(100),
    idle: textField(
      durationForm,
      'A client that owes a command, or whose data do not move, gets 421 after this time.',
    ).prefault('15m'),
    reply: textField(
      durationForm,
      'The longest a server may work on an answer, such as a checksum or a scan of what was uploaded.',
    ).prefault('15m'),
    transfer: textField(
      durationForm,
      'The longest a server may take to begin a transfer that was asked for; its pinhole stays open meanwhile.',
    ).prefault('15m'),
    connect: textField(
      durationForm,
      'The longest wait for a connection to a server or to a data endpoint.',
    ).prefault('30s'),
    login: textField(durationForm, 'The longest time from connecting to being logged in.').prefault('60s'),
    handshake: textField(
      durationForm,
      'The longest time for one TLS handshake, on a control or a data connection.',
    ).prefault('15s'),
    line: choiceOfShapes(
      [integerField(lineBytesLimits, 'Bytes.'), textField(byteSizeForm, 'Bytes, or kibibytes with k.')],
      {
        description: 'The longest line a client may send; a longer one gets 500.',
        kind: 'size',
        allowed: byteSizeForm.allowed,
      },
    ).prefault('4k'),
    refusals: integerField(
      { min: 1, max: 1000 },
      'Refused commands after which a session gets 421.',
    ).prefault(10),
    pinholesPerClient: untilRestart(
      choiceOfShapes(
        [integerField({ min: 1, max: 65_535 }, 'Pinholes.'), choiceField(['half'], 'Half of the range.')],
        {
          description:
            'Pinholes that one client may hold at once among those that a server will connect to, where all clients draw on the same ports.',
          kind: 'whole number or half',
          allowed: '1 to 65535, or half (of the range)',
        },
      ).prefault('half'),
    ).transform((pinholes) => (pinholes === 'half' ? null : pinholes)),
  },
  'What one client, and all together, may use.',
).transform(({ idle, reply, transfer, connect, login, handshake, line, ...rest }) => ({
  ...rest,
  idleMs: idle,
  replyMs: reply,
  transferMs: transfer,
  connectMs: connect,
  loginMs: login,
  handshakeMs: handshake,
  lineBytes: line,
}))

const allowedPasvAddresses = 'control-peer, must-match, or a list of networks such as [10.2.0.0/16]'

export const policySchema = section(
  {
    bounce: choiceField(
      ['refuse', 'use-control-peer'],
      'A PORT or EPRT that names another host than the client: answered 501, or taken as the client’s own address (for clients behind a NAT that does not know FTP).',
    ).prefault('refuse'),
    pasvAddress: choiceOfShapes(
      [
        choiceField(['control-peer', 'must-match'], 'By rule.'),
        listField(textField(networkForm, 'A network.'), {
          description: 'By allow-list.',
          kind: 'list',
          allowed: 'networks',
        }).min(1, {
          error: ({ input }) => complaint('is empty', { given: input, allowed: allowedPasvAddresses }),
        }),
      ],
      {
        description:
          'A 227 that names another host than the server: ignored in favour of the server’s address, answered 425, or allowed into these networks.',
        kind: 'choice or list',
        allowed: allowedPasvAddresses,
      },
    ).prefault('control-peer'),
    minPort: integerField({ min: 1, max: 65_535 }, 'The lowest port that we connect to for data.').prefault(
      1024,
    ),
    dataPeers: section(
      {
        clients: networks(
          'Networks from which data connections to us may come in place of the client’s own address: a carrier’s NAT, a cluster’s SNAT.',
        ),
        servers: networks(
          'Networks from which servers may call in place of their control address: clusters, servers with several addresses.',
        ),
      },
      'Who may come to a data port besides the peer of the control connection. A pinhole stays for one connection and expires; with the backend nftables it is relayed, and behind interception only the peer itself can come.',
    ).prefault({}),
    fxp: networks(
      'Other FTP servers that clients may transfer with (FXP): PORT and EPRT may name them, and they may come to a passive port of ours. Relayed, and counted in `ftp_alg_data_foreign_peers_total`.',
    ),
  },
  'What peers may ask for.',
)
