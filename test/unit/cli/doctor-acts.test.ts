import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { actsOf } from '../../../src/cli/doctor/acts.ts'

const sources = {
  env: { FTP_ALG_TRY_PASSWORD: 'secret' },
  stdin: new PassThrough() as unknown as NodeJS.ReadStream,
}
const asked = { tries: false, user: undefined, limits: undefined }

describe('what doctor does beyond looking', () => {
  it('is nothing, unless it is asked to', async () => {
    expect(await actsOf(asked, sources)).toEqual({})
    expect(await actsOf({ ...asked, user: 'anna' }, sources)).toEqual({})
  })

  it('opens sessions that log in only as a user that is named', async () => {
    expect(await actsOf({ ...asked, limits: '12' }, sources)).toEqual({ limits: { sessions: 12 } })
    const anna = { user: 'anna', password: 'secret' }
    expect(await actsOf({ ...asked, limits: '12', user: 'anna' }, sources)).toEqual({
      limits: { sessions: 12, credentials: anna },
    })
    // Through the proxy as anonymous, at the servers not at all.
    expect(await actsOf({ tries: true, user: undefined, limits: '2' }, sources)).toEqual({
      credentials: { user: 'anonymous', password: 'secret' },
      limits: { sessions: 2 },
    })
  })

  it.each(['1', '201', '0x10', '1e2', '', 'many'])('refuses %s sessions', async (limits) => {
    await expect(actsOf({ ...asked, limits }, sources)).rejects.toThrow(
      `--limits needs a number of sessions (given ${limits}, allowed 2 to 200)`,
    )
  })
})
