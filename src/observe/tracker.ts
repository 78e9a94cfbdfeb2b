// Where a defect is reported: package.json says it once, for packages, images, texts and alerts.

import { readFileSync } from 'node:fs'

// Written by us, and published with the program.
const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
const { bugs } = JSON.parse(manifest) as { bugs: { url: string } }

/** `https://git.example.org/ftp-alg/issues`. */
export const tracker: string = bugs.url
