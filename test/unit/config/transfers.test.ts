import { describe, expect, test } from 'vitest'
import { restartNeeded } from '../../../src/config/restart.ts'
import { configOf, mistakesIn } from './sources.ts'

const listener = 'listeners: [{ upstream: ftp.internal }]\n'

describe('log.transfers', () => {
  test('is off unless a file is named', () => {
    for (const log of ['{}', '{ transfers: false }', '{ transfers: null }']) {
      expect([log, configOf(`${listener}log: ${log}\n`).log.transfers]).toEqual([log, null])
    }
  })

  test('is JSON unless said otherwise', () => {
    expect(configOf(`${listener}log: { transfers: { file: /var/log/transfers } }\n`).log.transfers).toEqual({
      file: '/var/log/transfers',
      format: 'json',
    })
  })

  test('needs an absolute path and a format that we know', () => {
    const path = 'an absolute path such as /var/log/ftp-alg/transfers.log'
    const mistakes = (transfers: string) => mistakesIn(`${listener}log:\n  transfers: ${transfers}\n`)
    expect(mistakes('{ file: xferlog }')).toEqual([
      `config.yaml:3:22 log.transfers.file: is not an absolute path (given "xferlog", allowed ${path})`,
    ])
    expect(mistakes('{ file: /var/log/ }')).toEqual([
      `config.yaml:3:22 log.transfers.file: names a folder (given "/var/log/", allowed ${path})`,
    ])
    expect(mistakes('{ format: xferlog }')).toEqual([
      `config.yaml:3:14 log.transfers.file: is required (given nothing, allowed ${path})`,
    ])
    expect(mistakes('{ file: /a, format: xferlogs }')).toEqual([
      'config.yaml:3:34 log.transfers.format: is not a known value; did you mean xferlog? (given "xferlogs", allowed json or xferlog)',
    ])
    expect(mistakes('/var/log/xferlog')).toEqual([
      'config.yaml:3:14 log.transfers: is not an allowed value (given "/var/log/xferlog", allowed a map of file and format, or false)',
    ])
  })

  test('changes without a restart', () => {
    const other = configOf(`${listener}log: { transfers: { file: /a } }\n`)
    expect(restartNeeded(configOf(listener), other)).toEqual([])
  })
})
