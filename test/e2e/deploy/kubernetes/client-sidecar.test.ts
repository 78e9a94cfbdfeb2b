// The overlay `client-sidecar`: an application that only speaks active FTP, in a network that lets nobody in.

import { rm } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { clientTree } from '../../../support/clients/client.ts'
import { curl } from '../../../support/clients/curl.ts'
import { ftplib } from '../../../support/clients/scripted.ts'
import { tnftp } from '../../../support/clients/tnftp.ts'
import { debianRootMissing, debianTree } from '../../../support/debian.ts'
import { networkPolicyOf, renderOverlay, workloadOf } from '../../../support/kubernetes.ts'
import { createNetwork, type Network } from '../../../support/netns.ts'
import { runOrThrow, runProgram } from '../../../support/programs.ts'
import { createSamples, type Samples } from '../../../support/samples.ts'
import { account, type FtpServer, serverPackages } from '../../../support/servers/server.ts'
import { startVsftpd } from '../../../support/servers/vsftpd.ts'
import { attemptTransfers, sharedFolder, shareSamples } from '../../../support/transfers.ts'
import { podRules } from './cluster-rules.ts'
import { type Pod, startPod } from './pod.ts'

const missing = debianRootMissing('the Kubernetes overlay client-sidecar')
const passivePorts = { first: 40_000, last: 49_999 }

describe.skipIf(missing !== null)(
  'client-sidecar: an application that only speaks active FTP, in a network that lets nobody in',
  () => {
    let samples: Samples
    let network: Network
    let server: FtpServer
    let pod: Pod

    beforeAll(async () => {
      await Promise.all([clientTree(), debianTree(serverPackages)])
      samples = await createSamples()
      const objects = await renderOverlay('client-sidecar')
      network = await createNetwork({ inside: ['pod'], outside: ['partner'] })
      await network.gateway.forward(true)
      const policy = networkPolicyOf(objects)
      if (policy === null) throw new Error('the overlay lacks a policy')
      await network.host('pod').firewall(podRules(policy, workloadOf(objects)))
      // The partner admits FTP and its passive ports, and connects to nobody.
      await network.host('partner').firewall(`table inet partner {
      chain outgoing { type filter hook output priority filter; oifname != "lo" tcp flags & (syn | ack) == syn drop; }
    }`)
      const [setting] = workloadOf(objects).spec.template.spec.securityContext.sysctls ?? []
      await runOrThrow(['sysctl', '-q', '-w', `${setting?.name}=${setting?.value}`], {
        place: network.host('pod'),
      })
      server = await startVsftpd({
        place: network.host('partner'),
        address: '10.77.2.10',
        port: 21,
        passivePorts,
      })
      await shareSamples(server, samples)
      const names = { 'ftp.partner.example': '10.77.2.10' }
      pod = await startPod({ objects, place: network.host('pod'), names })
    })
    afterAll(async () => {
      await pod?.proxy.kill()
      await server?.stop()
      await network?.close()
      if (samples !== undefined) await rm(samples.folder, { recursive: true })
    })

    it('fails without the sidecar', async () => {
      const url = `ftp://10.77.2.10:21/${sharedFolder}/`
      const active = ['--ftp-port', '-', '--user', `${account.user}:${account.password}`, '-m', '5']
      const tried = await runProgram(['curl', '-sS', '--noproxy', '*', ...active, url], {
        place: network.host('pod'),
      })
      expect(tried.exitCode).not.toBe(0)
    })

    it.each(['PORT', 'EPRT'] as const)('turns %s from the application into passive', async (mode) => {
      for (const client of [curl, tnftp, ftplib]) {
        if (client.cannotUse({ mode, family: 'ipv4' }) !== null) continue
        const failed = await attemptTransfers({
          client,
          server,
          samples,
          family: 'ipv4',
          mode,
          place: network.host('pod'),
          target: { address: '127.0.0.1', port: 21 },
          large: false,
        })
        expect(failed, pod.proxy.output()).toEqual([])
      }
      expect(await pod.proxy.metrics()).toMatch(
        /^ftp_alg_mode_conversions_total\{[^}]*from="active",to="passive"\} [1-9]/m,
      )
    })

    it('ends with exit code 0 when it is told to', async () => {
      await pod.stop()
    })
  },
)
