// The control channel as both ends saw it: one row a line, the client's view on the left, the server's on the right.

interface Row {
  readonly arrow: '>' | '<'
  client: string | null
  server: string | null
}

const COLUMN = 54
const RECENT = 3

/** Collects lines as they are seen and pairs each with what became of it on the other side. */
export class Dialogue {
  #rows: Row[] = []

  /** The client sent a line, or the server received one. */
  up(side: 'client' | 'server', line: string): void {
    this.#see('>', side, line)
  }

  /** The server sent a line, or the client received one. */
  down(side: 'client' | 'server', line: string): void {
    this.#see('<', side, line)
  }

  /** The rows since the last call, ready to print; `≠` marks what the proxy changed. */
  take(): string[] {
    const rows = this.#rows
    this.#rows = []
    return [
      `    ${'the client sees'.padEnd(COLUMN)}     the server sees`,
      ...rows.map(({ arrow, client, server }) => {
        const mark = client === server ? ' ' : '≠'
        return `  ${arrow} ${(client ?? '–').padEnd(COLUMN)} ${mark} ${arrow} ${server ?? '–'}`
      }),
    ]
  }

  #see(arrow: Row['arrow'], side: 'client' | 'server', line: string): void {
    // What became of a line on the other side is seen soon: it belongs to the oldest recent row that lacks it.
    const open = this.#rows.slice(-RECENT).find((row) => row.arrow === arrow && row[side] === null)
    if (open !== undefined) {
      open[side] = line
      return
    }
    const row: Row = { arrow, client: null, server: null }
    row[side] = line
    this.#rows.push(row)
  }
}
