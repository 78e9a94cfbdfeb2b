import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type Browser, chromium } from 'playwright-core'
import { debianTree } from '../../support/debian.ts'
import { runProgram } from '../../support/programs.ts'

const installed = [
  '/usr/lib/chromium/chromium-headless-shell',
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
]
const packages = ['chromium-headless-shell', 'chromium-common']

/** Why there can be no browser here, or null. With `CI=true` a skip is a failure: it throws. */
export async function browserMissing(): Promise<string | null> {
  const isThere = installed.some((path) => existsSync(path))
  if (isThere || (await runProgram(['sh', '-c', 'command -v apt-get dpkg-deb'])).exitCode === 0) return null
  const line = 'the status page in a browser is skipped: it needs Chromium, or Debian to get it from'
  if (process.env.CI === 'true') throw new Error(`${line}; with CI=true nothing may be skipped`)
  console.warn(line)
  return line
}

/** Headless Chromium: the installed one, else Debian's, extracted into the test cache. */
export async function launchBrowser(): Promise<Browser> {
  const path = installed.find((each) => existsSync(each))
  // Root has no sandbox; the pages are our own.
  const args = ['--no-sandbox']
  if (path !== undefined) return chromium.launch({ executablePath: path, args })
  const tree = await debianTree(packages)
  const libraries = [tree.env.LD_LIBRARY_PATH, join(tree.root, 'usr/lib/x86_64-linux-gnu/pulseaudio')]
  return chromium.launch({
    executablePath: tree.program('usr/lib/chromium/chromium-headless-shell'),
    args,
    env: { ...process.env, LD_LIBRARY_PATH: libraries.join(':') },
  })
}
