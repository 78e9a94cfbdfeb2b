// The rules that administrators have written for FTP since it exists: four for active, four for passive, without state.
// Everything else is refused at once, so that what does not pass fails quickly.

export type ClassicMode = 'active' | 'passive'

interface Rule {
  readonly direction: 'in' | 'out'
  /** Ports at the far end, then at this one. */
  readonly from: string
  readonly to: string
  /** Answers only: no connection can be opened by it. */
  readonly answers?: true
}

const high = '1024-65535'

/** As the server's firewall sees them. */
const serverRules: Readonly<Record<ClassicMode, readonly Rule[]>> = {
  active: [
    // Control connection in, and its answers.
    { direction: 'in', from: high, to: '21' },
    { direction: 'out', from: '21', to: high, answers: true },
    // Data connection out from port 20, and its answers.
    { direction: 'out', from: '20', to: high },
    { direction: 'in', from: high, to: '20', answers: true },
  ],
  passive: [
    { direction: 'in', from: high, to: '21' },
    { direction: 'out', from: '21', to: high, answers: true },
    // Data connection in from high port to high port, and its answers.
    { direction: 'in', from: high, to: high },
    { direction: 'out', from: high, to: high, answers: true },
  ],
}

/** The firewall of a host that is the server or the client of an FTP session. */
export function classicFirewall(mode: ClassicMode, host: 'server' | 'client'): string {
  const chain = (hook: 'input' | 'output') => {
    const direction = (hook === 'input') === (host === 'server') ? 'in' : 'out'
    const lines = serverRules[mode]
      .filter((rule) => rule.direction === direction)
      .map(({ from, to, answers }) => {
        const opened = answers === true ? ' tcp flags & (syn | ack) != syn' : ''
        return `tcp sport ${from} tcp dport ${to}${opened} accept`
      })
    return `chain ${hook} {
      type filter hook ${hook} priority filter
      ${hook === 'input' ? 'iifname' : 'oifname'} lo accept
      icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
      tcp flags & rst == rst accept
      ${lines.join('\n      ')}
      meta l4proto tcp reject with tcp reset
    }`
  }
  return `table inet classic {\n${chain('input')}\n${chain('output')}\n}`
}
