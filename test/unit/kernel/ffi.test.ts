import { describe, expect, it } from 'vitest'
import { AlgError } from '../../../src/errors.ts'
import { type Ffi, loadFfi } from '../../../src/kernel/ffi.ts'

const absent = () => Promise.reject(new Error("Cannot find package 'koffi'\nRequire stack: …"))

async function failureOf(loading: Promise<Ffi>): Promise<AlgError> {
  const error = await loading.then(
    () => null,
    (reason: unknown) => reason,
  )
  if (!(error instanceof AlgError)) throw new Error(`expected an AlgError, got ${error}`)
  return error
}

describe('loading koffi', () => {
  it('says that Linux is needed, and what works instead', async () => {
    const error = await failureOf(loadFfi({ platform: 'darwin', importKoffi: absent }))
    expect(error.code).toBe('KERNEL_FEATURE_MISSING')
    expect(error.exitCode).toBe(3)
    expect(error.message).toContain('this is darwin')
    expect(error.message).toContain('relay backend')
  })

  it('says how to install it when it is absent', async () => {
    const error = await failureOf(loadFfi({ platform: 'linux', importKoffi: absent }))
    expect(error.code).toBe('KERNEL_FEATURE_MISSING')
    expect(error.message).toContain("(Cannot find package 'koffi')")
    expect(error.message).toContain('npm install koffi')
    expect(error.message).not.toContain('Require stack')
  })
})
