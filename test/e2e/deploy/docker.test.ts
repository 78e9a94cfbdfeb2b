// The Dockerfile, built for real with a base image made here, and both images run as a container runtime would run
// them: read-only root, the image's user, no capability but NET_ADMIN where it is needed, no_new_privs, process 1.

import { readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { debianRootMissing } from '../../support/debian.ts'
import {
  buildNodeImage,
  type Container,
  type ImageStore,
  openImageStore,
  registryMissing,
} from '../../support/images.ts'
import { type Ground, openGround } from './ground.ts'

const project = new URL('../../../', import.meta.url).pathname
const deploy = join(project, 'deploy', 'docker')
const missing = debianRootMissing('the container images') ?? (await registryMissing('the container images'))
const NET_ADMIN = 12

describe.skipIf(missing !== null)('the container images', { timeout: 900_000 }, () => {
  let store: ImageStore
  let ground: Ground
  let folder: string

  beforeAll(async () => {
    ground = await openGround({
      inside: ['client'],
      outside: ['server'],
      server: { on: 'server', address: '::' },
    })
    store = await openImageStore()
    ground.cleanup.add(store.close)
    await buildNodeImage(store, 'localhost/node-for-tests')
    folder = await mkdtemp(join(tmpdir(), 'ftp-alg-container-'))
    ground.cleanup.add(() => rm(folder, { recursive: true, force: true }))
  }, 900_000)

  afterAll(() => ground?.cleanup.run())

  const targets = [
    { target: 'relay', user: '65532:65532', capabilities: [], backend: 'relay' },
    { target: 'nftables', user: '0:0', capabilities: [NET_ADMIN], backend: 'nftables' },
  ] as const

  describe.each(targets)('$target', ({ target, user, capabilities, backend }) => {
    const tag = `localhost/ftp-alg:${target}`
    let container: Container

    beforeAll(async () => {
      await store.build({
        dockerfile: join(deploy, 'Dockerfile'),
        ignoreFile: join(deploy, 'Dockerfile.dockerignore'),
        context: project,
        target,
        args: { NODE_IMAGE: 'localhost/node-for-tests' },
        tag,
      })
      // The kernel forwards data connections only on a machine that forwards.
      await ground.network.gateway.forward(backend === 'nftables')
      const volume = join(folder, target)
      await mkdir(volume)
      await writeFile(join(volume, 'config.yaml'), configuration(backend))
      container = await store.start(tag, {
        place: ground.network.gateway,
        capabilities,
        volumes: [{ source: volume, target: '/etc/ftp-alg' }],
      })
    }, 900_000)

    afterAll(() => container?.program.kill())

    it('says how it wants to be run', async () => {
      const config = await store.config(tag)
      expect(config).toMatchObject({ User: user, StopSignal: 'SIGTERM', WorkingDir: '/app' })
      expect(config.Cmd).toEqual(['run', '--config', '/etc/ftp-alg/config.yaml'])
      expect(Object.keys(config.ExposedPorts).sort()).toEqual(['2121/tcp', '9121/tcp'])
    })

    it('becomes ready on a read-only root, as its own user, with no capability that it does not need', async () => {
      const script = 'until curl -sf -m 2 http://127.0.0.1:9121/readyz; do sleep 0.1; done'
      const ready = await ground.network.gateway.run(['sh', '-c', script], { timeoutMs: 20_000 })
      expect(ready.stdout, container.program.output()).toBe('ready\n')
      const status = readFileSync(`/proc/${container.pid()}/status`, 'utf8')
      const [uid] = user.split(':')
      expect(status).toMatch(new RegExp(`^Uid:\t${uid}\t${uid}\t${uid}\t${uid}$`, 'm'))
      const allowed = capabilities.reduce((sum, capability) => sum + 2 ** capability, 0)
      expect(status).toMatch(new RegExp(`^CapEff:\t${allowed.toString(16).padStart(16, '0')}$`, 'm'))
      expect(status).toMatch(new RegExp(`^CapBnd:\t${allowed.toString(16).padStart(16, '0')}$`, 'm'))
      expect(status).toMatch(/^NoNewPrivs:\t1$/m)
      const mounts = readFileSync(`/proc/${container.pid()}/mounts`, 'utf8')
      const writable = mounts
        .split('\n')
        .filter((line) => / rw[, ]/.test(line) && !/ \/(proc|dev)/.test(line))
      expect(writable).toEqual([])
    })

    it.each(['PASV', 'PORT', 'EPSV', 'EPRT'] as const)('carries real transfers with %s', async (mode) => {
      const target = { address: ground.network.gateway.inside.ipv4, port: 2121 }
      const failed = await ground.transfers({ mode, from: 'client', target, large: true })
      expect(failed, container.program.output()).toEqual([])
    })

    it('ends with exit code 0 on SIGTERM, as process 1', async () => {
      process.kill(container.pid(), 'SIGTERM')
      expect(await container.program.exited, container.program.output()).toBe(0)
    })

    it('refuses a configuration with a mistake, exit code 2', async () => {
      const wrong = await store.start(tag, {
        place: ground.network.gateway,
        capabilities,
        volumes: [],
        command: ['check', '--upstream', 'ftp.example.net', '--listen', 'nonsense'],
      })
      expect(await wrong.program.exited).toBe(2)
      expect(wrong.program.output()).toContain('--listen')
    })
  })
})

function configuration(backend: string): string {
  return `listeners:
  - listen: '0.0.0.0:2121'
    upstream: '10.77.2.10:21'
dataPorts: 30000-30049
pinholes: { backend: ${backend} }
`
}
