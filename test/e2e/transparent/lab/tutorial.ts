// A page of the documentation as a script: its files and commands in order, and what it promises them to print.

/** `shell` runs on a machine; `file` is written on the gateway. */
export type TutorialStep =
  | { readonly kind: 'file'; readonly path: string; readonly content: string; readonly line: number }
  | {
      readonly kind: 'shell'
      /** `'the gateway'`, `'a client'`, `'the server'`, from the block's first line `# on the gateway`. */
      readonly machine: string
      readonly commands: string
      /** Lines that the output contains, in any order; `…` stands for anything. */
      readonly promises: readonly string[]
      readonly line: number
    }

/**
 * Reads the fenced blocks: `sh` blocks are commands, a `text` block that follows one at once is what they print, and a
 * block that begins with `# /an/absolute/path` is a file. Other `text` blocks are for people.
 *
 * Throws for a block of any other form, so that nothing on the page goes untested.
 */
export function parseTutorial(page: string): readonly TutorialStep[] {
  const steps: TutorialStep[] = []
  let end = 0
  for (const block of page.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)) {
    const [whole, language, content = ''] = block
    const line = page.slice(0, block.index).split('\n').length
    const follows = page.slice(end, block.index).trim() === ''
    end = block.index + whole.length
    const [, path] = /^# (\/\S+)\n/.exec(content) ?? []
    const [, machine] = /^# on (.+)\n/.exec(content) ?? []
    const last = steps.at(-1)
    if (path !== undefined) {
      steps.push({ kind: 'file', path, content, line })
    } else if (language === 'sh' && machine !== undefined) {
      steps.push({ kind: 'shell', machine, commands: content, promises: [], line })
    } else if (language === 'text' && follows && last?.kind === 'shell') {
      steps[steps.length - 1] = { ...last, promises: content.trimEnd().split('\n') }
    } else if (language !== 'text') {
      throw new Error(`line ${line}: a block of ${language} that is neither a file nor commands`)
    }
  }
  return steps
}

/** Programs that show what there is and change nothing. */
const looking = /^(curl -\w+ http:|grep |tail |nft list |ftp-alg doctor )/

/**
 * Whether a block of commands may be tried again: the reader of a page takes seconds for a command, and a log line or a count
 * may come that much later.
 *
 * `"# on the gateway\ngrep ' 226 ' /var/log/ftpd.log | tail -n 1\n"` gives true; anything with `&`, `;` or `>` is no look.
 */
export function onlyLooks(commands: string): boolean {
  const pipelines = commands
    .replaceAll(/'[^']*'|"[^"]*"/g, '…')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
  return pipelines.every(
    (line) => !/[&;><`$]/.test(line) && line.split('|').every((command) => looking.test(command.trim())),
  )
}

/** The promised lines that an output lacks; one that is promised twice is wanted twice. */
export function missingLines(promises: readonly string[], output: string): readonly string[] {
  const lines = output.split('\n')
  return [...new Set(promises)].filter((promise) => {
    const parts = promise
      .trim()
      .split('…')
      .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    const pattern = new RegExp(`^\\s*${parts.join('.*')}\\s*$`)
    const wanted = promises.filter((each) => each === promise).length
    return lines.filter((line) => pattern.test(line)).length < wanted
  })
}
