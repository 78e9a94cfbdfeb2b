// The manifests as an API server would take them, by the schema of the API and by its types.

import { describe, expect, it } from 'vitest'
import { allComponents, type KubernetesObject, overlays, renderOverlay } from '../../support/kubernetes.ts'
import { complaintAbout, nameOf, unknownKeysIn } from '../../support/kubernetes-schema.ts'

describe('the overlays', { timeout: 120_000 }, () => {
  it.each(overlays)('%s: objects of known kinds that the schemas of the API accept', async (overlay) => {
    const objects = await everythingOf(overlay)
    expect(objects.length).toBeGreaterThan(4)
    for (const object of objects) expect(complaintAbout(object), nameOf(object)).toBe('')
  })

  it('have no key that the types of the API do not know', async () => {
    const objects = await Promise.all(overlays.map(everythingOf))
    expect(await unknownKeysIn(objects.flat())).toBe('')
  })
})

describe('the two steps together', { timeout: 120_000 }, () => {
  it('find wrong types and unknown keys', async () => {
    const objects = await renderOverlay('gateway')
    const broken = (from: string, to: string): KubernetesObject[] =>
      JSON.parse(JSON.stringify(objects).replace(from, to))
    const complaints = (list: readonly KubernetesObject[]) => list.map(complaintAbout).join('')
    expect(complaints(broken('"endPort":30049', '"endPort":"30049"'))).toContain('endPort must be integer')
    expect(complaints(broken('"replicas":2', '"replicas":"2"'))).toContain('replicas must be integer')
    const misspelt = await unknownKeysIn([
      ...broken('"readinessProbe"', '"readynessProbe"'),
      ...broken('"readOnlyRootFilesystem"', '"readonlyRootFilesystem"'),
    ])
    expect(misspelt).toContain('readynessProbe')
    expect(misspelt).toContain('readonlyRootFilesystem')
    const certificate = (await everythingOf('gateway')).filter(({ kind }) => kind === 'Certificate')
    const wrong = (from: string, to: string) =>
      complaints(JSON.parse(JSON.stringify(certificate).replace(from, to)))
    expect(wrong('"dnsNames"', '"dnsName"')).toContain('dnsName')
    expect(wrong('"ECDSA"', '"EC"')).toContain('ECDSA')
  })
})

async function everythingOf(overlay: (typeof overlays)[number]): Promise<readonly KubernetesObject[]> {
  return renderOverlay(overlay, allComponents)
}
