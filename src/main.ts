#!/usr/bin/env node
// The first file that Node reads. It imports nothing of ours until it knows that this Node can run the rest: an old one would
// end in a syntax error in some package. So its own syntax is kept to what Node 12 understands.

import { readFileSync } from 'node:fs'

const manifest = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
// Written by us, and published with the program.
const { version, engines } = JSON.parse(manifest) as { version: string; engines: { node: string } }
const given = process.versions.node
// '>=20.19'
const least = engines.node.replace(/[^0-9.]/g, '')

if (isBelow(given, least)) {
  const cure = 'its packages and images bring one, or see nodejs.org'
  process.stderr.write(
    `ftp-alg: needs Node.js ${least} or newer, this is ${given} (${process.execPath}): ${cure}\n`,
  )
  process.exitCode = 3
} else {
  // Whatever fails in there ends the process with a message and an exit code.
  void import('./cli/command-line.ts').then(({ runCommandLine }) => runCommandLine(version))
}

function isBelow(one: string, other: string): boolean {
  const [major = 0, minor = 0] = one.split('.').map(Number)
  const [otherMajor = 0, otherMinor = 0] = other.split('.').map(Number)
  return major < otherMajor || (major === otherMajor && minor < otherMinor)
}
