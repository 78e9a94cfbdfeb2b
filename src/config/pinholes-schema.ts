// `pinholes` of the configuration file.

import { durationForm } from './duration.ts'
import { choiceField, integerField, section, textField, untilRestart, wordForm } from './field.ts'

/** As nft writes it; the same characters that may stand in a rule. */
const setForm = wordForm({
  name: 'set',
  allowed: 'FAMILY TABLE SET with family ip, ip6 or inet, as in inet filter ftp_data',
  pattern: '^(ip|ip6|inet) [A-Za-z_][0-9A-Za-z_.-]{0,30} [A-Za-z_][0-9A-Za-z_.-]{0,30}$',
})

/** Another program's table cannot be named, nor the one for interception, nor a worker's. */
const tableForm = wordForm({
  name: 'table',
  allowed:
    'ftp_alg, or ftp_alg_ and up to 16 letters and digits of which the first is a letter, as in ftp_alg_dmz',
  pattern: '^ftp_alg(_(?!intercept$)[A-Za-z][0-9A-Za-z]{0,15})?$',
})

export const pinholesSchema = section(
  {
    backend: untilRestart(
      choiceField(
        ['relay', 'nftables'],
        'Who moves the bytes of data connections: this process, or the kernel (Linux, CAP_NET_ADMIN).',
      ).prefault('relay'),
    ),
    timeout: textField(
      durationForm,
      'From announced to connected; then the pinhole closes unused, and a transfer whose client it waits for gets 425.',
    ).prefault('60s'),
    mark: untilRestart(
      integerField(
        { min: 1, max: 0xffff_ffff },
        'The mark of what comes through us, for `ct mark` in your firewall and for policy routing; 247 is 0xf7.',
      ).prefault(0xf7),
    ),
    table: untilRestart(
      textField(
        tableForm,
        'The name of our tables in the kernel; instances that share a network namespace need one each.',
      ).prefault('ftp_alg'),
    ),
    admit: untilRestart(
      section(
        {
          ipv4: textField(setForm, 'The set for IPv4 peers.').optional(),
          ipv6: textField(setForm, 'The set for IPv6 peers.').optional(),
        },
        'Sets of your own firewall to which each pinhole is added, instead of going by the mark; with the backend nftables.',
      ).prefault({}),
    ),
  },
  'The holes that data connections come through.',
).transform(({ timeout, admit: { ipv4 = null, ipv6 = null }, ...rest }) => ({
  ...rest,
  timeoutMs: timeout,
  admit: { ipv4, ipv6 },
}))
