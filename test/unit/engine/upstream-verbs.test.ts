import { describe, expect, test } from 'vitest'
import { activeVerbs, passiveVerbs } from '../../../src/engine/upstream-verbs.ts'

const v4 = '198.51.100.7'
const v6 = '2001:db8:2::7'

const converting = { isFaithful: false, configured: [] } as const

describe('what a server is asked with', () => {
  test.each([
    { verb: 'PASV', server: v4, knows: [], isTranslating: null, verbs: ['PASV', 'EPSV'] },
    { verb: 'PORT', server: v4, knows: [], isTranslating: null, verbs: ['PASV', 'EPSV'] },
    { verb: 'EPSV', server: v4, knows: [], isTranslating: null, verbs: ['EPSV', 'PASV'] },
    { verb: 'EPRT', server: v4, knows: [], isTranslating: null, verbs: ['EPSV', 'PASV'] },
    { verb: 'EPSV', server: v4, knows: ['refusesEpsv'], isTranslating: null, verbs: ['PASV'] },
    { verb: 'PASV', server: v4, knows: ['refusesEpsv'], isTranslating: null, verbs: ['PASV'] },
    { verb: 'EPSV', server: v4, knows: [], isTranslating: true, verbs: ['PASV', 'EPSV'] },
    { verb: 'EPSV', server: v4, knows: [], isTranslating: false, verbs: ['EPSV'] },
    { verb: 'EPSV', server: v4, knows: ['refusesEpsv'], isTranslating: false, verbs: ['EPSV'] },
    { verb: 'EPRT', server: v4, knows: [], isTranslating: false, verbs: ['EPSV', 'PASV'] },
    { verb: 'PASV', server: v6, knows: ['refusesEpsv'], isTranslating: null, verbs: ['EPSV'] },
  ] as const)(
    'passive, for $verb with $knows and translation $isTranslating: $verbs',
    ({ verbs, ...choice }) => {
      expect(passiveVerbs({ ...converting, ...choice })).toEqual(verbs)
    },
  )

  test.each([
    { verb: 'PORT', server: v4, knows: [], isTranslating: null, verbs: ['PORT'] },
    { verb: 'PASV', server: v4, knows: [], isTranslating: null, verbs: ['PORT'] },
    { verb: 'EPRT', server: v4, knows: [], isTranslating: null, verbs: ['EPRT', 'PORT'] },
    { verb: 'EPSV', server: v4, knows: [], isTranslating: null, verbs: ['EPRT', 'PORT'] },
    { verb: 'EPRT', server: v4, knows: ['refusesEprt'], isTranslating: null, verbs: ['PORT'] },
    { verb: 'EPRT', server: v4, knows: [], isTranslating: true, verbs: ['PORT'] },
    { verb: 'EPRT', server: v4, knows: ['refusesEprt'], isTranslating: false, verbs: ['EPRT'] },
    { verb: 'PORT', server: v6, knows: ['refusesEprt'], isTranslating: null, verbs: ['EPRT'] },
  ] as const)(
    'active, for $verb with $knows and translation $isTranslating: $verbs',
    ({ verbs, ...choice }) => {
      expect(activeVerbs({ ...converting, ...choice })).toEqual(verbs)
    },
  )

  test('is the client’s own verb where nothing is converted, whatever was learned', () => {
    const choice = { server: v4, knows: ['refusesEpsv', 'refusesEprt'], isTranslating: null } as const
    const faithful = { ...choice, isFaithful: true, configured: [] } as const
    expect(passiveVerbs({ ...faithful, verb: 'EPSV' })).toEqual(['EPSV'])
    expect(passiveVerbs({ ...faithful, verb: 'PASV' })).toEqual(['PASV'])
    expect(activeVerbs({ ...faithful, verb: 'EPRT' })).toEqual(['EPRT'])
    expect(activeVerbs({ ...faithful, verb: 'PORT' })).toEqual(['PORT'])
  })

  test('is what the configuration says, as far as the address can be carried', () => {
    const choice = { verb: 'EPSV', knows: [], isTranslating: null, isFaithful: false } as const
    const configured = ['PASV', 'EPSV', 'PORT'] as const
    expect(passiveVerbs({ ...choice, server: v4, configured })).toEqual(['PASV', 'EPSV'])
    expect(passiveVerbs({ ...choice, server: v6, configured })).toEqual(['EPSV'])
    expect(activeVerbs({ ...choice, server: v4, configured })).toEqual(['PORT'])
    expect(passiveVerbs({ ...choice, server: v4, configured: ['PORT'] })).toEqual(['EPSV', 'PASV'])
  })
})
