// `ftp-alg completion bash|zsh|fish`: a script that knows commands, options and the words that options take. It does not call
// the program, whose start would be felt at every key.

import { bashScript } from './completion/bash.ts'
import { fishScript } from './completion/fish.ts'
import { zshScript } from './completion/zsh.ts'

const scripts = new Map([
  ['bash', bashScript],
  ['zsh', zshScript],
  ['fish', fishScript],
])

/** The script for a shell that the table of commands allows. */
export function completionScript(forShell: string): string {
  const script = scripts.get(forShell)
  if (script === undefined) throw new Error(`no completion for ${forShell}`)
  return script()
}
