// Text for pages of man(7). Nothing in it is taken for a request or an escape of roff.

/** A paragraph or a cell: `-` is the sign that a shell understands, `code` between backquotes is bold. */
export function roffText(text: string): string {
  return text
    .split(/`([^`]*)`/)
    .map((part, index) => (index % 2 === 1 ? `\\fB${escaped(part)}\\fR` : escaped(part)))
    .join('')
    .replace(/^[.']/, '\\&$&')
}

/** The head of a page. The day is when its form changed last: what it says has the version of the program. */
export function roffTitle(name: string, section: number): string {
  return `.TH ${escaped(name)} ${section} 2026-11-29 "ftp\\-alg"`
}

/** Lines as they are, in a block that is not filled. */
export function roffExample(lines: readonly string[]): string {
  return ['.PP', '.RS 4', '.nf', ...lines.map((line) => roffText(line)), '.fi', '.RE'].join('\n')
}

/** `.TP` with its head in bold and the text below it. */
export function roffEntry(head: string, text: string): string {
  return `.TP\n.B ${quotedArgument(head)}\n${roffText(text)}`
}

/** One request's argument in quotes. */
function quotedArgument(text: string): string {
  return `"${escaped(text).replaceAll('"', '\\(dq')}"`
}

const signs: Readonly<Record<string, string>> = {
  '\\': '\\e',
  '-': '\\-',
  '–': '\\(en',
  '…': '\\&.\\|.\\|.',
  '·': '\\(bu',
  '^': '\\(ha',
  '~': '\\(ti',
  '→': '\\(->',
}

function escaped(text: string): string {
  return text.replace(/[\\\-–…·^~→]/g, (sign) => signs[sign] ?? sign)
}
