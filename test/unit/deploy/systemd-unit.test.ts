// What the unit promises of restarts and reloads, read from the file as systemd reads it.

import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { errorCodes } from '../../../src/errors.ts'

const unit = readFileSync(new URL('../../../deploy/systemd/ftp-alg.service', import.meta.url), 'utf8')

function valuesOf(key: string): string[] {
  return [...unit.matchAll(new RegExp(`^${key}=(.*)$`, 'gm'))].map(([, value = '']) => value)
}

describe('ftp-alg.service', () => {
  it('looks at the file before it asks what runs to read it, so that a reload fails at a mistake', () => {
    const [first, second, ...more] = valuesOf('ExecReload')
    expect(first).toBe('/usr/bin/ftp-alg check --quiet --config /etc/ftp-alg/config.yaml')
    expect(second).toBe('/bin/kill -HUP $MAINPID')
    expect(more).toEqual([])
  })

  it('is not restarted for what does not go away by itself', () => {
    const lasting = Object.values(errorCodes).flatMap((entry) => ('exit' in entry ? [entry.exit] : []))
    const prevented = (valuesOf('RestartPreventExitStatus')[0] ?? '').split(' ').map(Number)
    expect(prevented).toEqual([...new Set(lasting)].filter((exit) => exit > 1).sort())
    // They are exit codes of the main process only: what fails before it is restarted for ever.
    expect(valuesOf('ExecStartPre')).toEqual([])
  })
})
