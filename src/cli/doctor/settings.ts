// Settings of the kernel (sysctl) that decide whether packets pass and are counted.

import { readFileSync } from 'node:fs'
import { type Finding, fail, type Needs, ok, warn } from './finding.ts'

/** `tablesExist`: our tables are there, so ftp-alg runs or has run. */
export function checkSettings(needs: Needs, tablesExist: boolean): readonly Finding[] {
  const findings: Finding[] = []
  if (needs.forwarding) {
    findings.push(forwarding('net.ipv4.ip_forward'))
    if (readSysctl('net.ipv6.conf.all.disable_ipv6') === '0')
      findings.push(forwarding('net.ipv6.conf.all.forwarding'))
    findings.push(checkEvents(), checkAccounting(tablesExist))
  }
  if (needs.kernel) findings.push(checkTracking())
  if (needs.foreignSockets) findings.push(checkReversePath())
  return findings
}

function forwarding(name: string): Finding {
  const value = readSysctl(name)
  if (value === '1') return ok('forwarding', `${name} is 1`)
  return fail(
    'forwarding',
    `${name} is ${value}: the kernel forwards no data connection`,
    `sysctl -w ${name}=1`,
  )
}

function checkEvents(): Finding {
  const name = 'net.netfilter.nf_conntrack_events'
  const value = readSysctl(name)
  if (value === '0') {
    return fail(
      'conntrack events',
      `${name} is 0: we never learn of a forwarded connection`,
      `sysctl -w ${name}=1`,
    )
  }
  return value === null
    ? warn('conntrack events', `${name} cannot be read`, 'modprobe nf_conntrack_netlink')
    : ok('conntrack events', `${name} is ${value}`)
}

/** Our tables switch it on; it may have been switched off again. */
function checkAccounting(tablesExist: boolean): Finding {
  const name = 'net.netfilter.nf_conntrack_acct'
  const check = 'conntrack accounting'
  if (readSysctl(name) === '1') return ok(check, `${name} is 1`)
  return tablesExist
    ? warn(check, `${name} is 0: transfers have no byte counts`, `sysctl -w ${name}=1`)
    : ok(check, `${name} is 0 until ftp-alg starts, which switches it on`)
}

/** A full table means that new connections are dropped, ours among them. */
function checkTracking(): Finding {
  const [count, max] = ['nf_conntrack_count', 'nf_conntrack_max'].map((name) =>
    Number(readSysctl(`net.netfilter.${name}`)),
  )
  if (!count || !max) return ok('conntrack table', 'not in use yet')
  const found = `${count} of ${max} entries`
  if (count < max * 0.8) return ok('conntrack table', found)
  return warn('conntrack table', found, `sysctl -w net.netfilter.nf_conntrack_max=${max * 2}`)
}

/** Marked packets are looked up by the marked route, in which every source is this machine itself. */
function checkReversePath(): Finding {
  const [all, valid] = ['rp_filter', 'src_valid_mark'].map((name) => readSysctl(`net.ipv4.conf.all.${name}`))
  const found = `net.ipv4.conf.all.rp_filter is ${all}, src_valid_mark ${valid}`
  if (all !== '0' && valid === '1') {
    return fail(
      'reverse path',
      `${found}: answers to our sockets are dropped as spoofed`,
      'sysctl -w net.ipv4.conf.all.src_valid_mark=0',
    )
  }
  return ok('reverse path', found)
}

/** A setting of this network namespace: `'net.ipv4.ip_forward'` gives `'1'`; null when there is none. */
export function readSysctl(name: string): string | null {
  try {
    return readFileSync(`/proc/sys/${name.replaceAll('.', '/')}`, 'latin1').trim()
  } catch {
    return null
  }
}
