// sbom.mjs NPM_ARCHITECTURE NODE_VERSION: the software bill of materials of a package or image, CycloneDX: npm's own of what ftp-alg
// depends on, and Node.js.

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

const [, , arch, nodeVersion] = process.argv
const project = new URL('../../', import.meta.url).pathname
const { name, version } = JSON.parse(readFileSync(`${project}package.json`, 'utf8'))
const options = ['--sbom-format=cyclonedx', '--sbom-type=application', '--omit=dev', '--package-lock-only']
const text = execFileSync('npm', ['sbom', ...options], {
  cwd: project,
  encoding: 'utf8',
  maxBuffer: 64 * 1024 * 1024,
})
const sbom = JSON.parse(text)
// npm calls it by its folder.
sbom.metadata.component.name = name
sbom.metadata.component.version = version
// koffi's binaries for other systems, which are not installed.
const isElsewhere = ({ name: component }) =>
  component.startsWith('@koromix/koffi-') && component !== `@koromix/koffi-linux-${arch}`
sbom.components = sbom.components.filter((component) => !isElsewhere(component))
const present = new Set(sbom.components.map((component) => component['bom-ref']))
present.add(sbom.metadata.component['bom-ref'])
const node = {
  'bom-ref': `node@${nodeVersion}`,
  type: 'application',
  name: 'node',
  version: nodeVersion,
  purl: `pkg:npm/node-linux-${arch}@${nodeVersion}`,
  licenses: [{ license: { id: 'MIT' } }],
}
sbom.components.push(node)
sbom.dependencies = sbom.dependencies
  .filter(({ ref }) => present.has(ref))
  .map(({ ref, dependsOn = [] }) => ({ ref, dependsOn: dependsOn.filter((other) => present.has(other)) }))
process.stdout.write(`${JSON.stringify(sbom, null, 2)}\n`)
