// The overlay `client-sidecar`: an application that only speaks active FTP, in a network that lets nobody in.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { curl } from '../../../support/clients/curl.ts'
import { ftplib } from '../../../support/clients/scripted.ts'
import { tnftp } from '../../../support/clients/tnftp.ts'
import { debianRootMissing } from '../../../support/debian.ts'
import { networkPolicyOf, renderOverlay, workloadOf } from '../../../support/kubernetes.ts'
import { runOrThrow } from '../../../support/programs.ts'
import { sharedFolder } from '../../../support/transfers.ts'
import { curlCommand, type Ground, openGround } from '../ground.ts'
import { podRules } from './cluster-rules.ts'
import { type Pod, startPod } from './pod.ts'

const missing = debianRootMissing('the Kubernetes overlay client-sidecar')

describe.skipIf(missing !== null)(
  'client-sidecar: an application that only speaks active FTP, in a network that lets nobody in',
  () => {
    let ground: Ground
    let pod: Pod

    beforeAll(async () => {
      const objects = await renderOverlay('client-sidecar')
      ground = await openGround({
        inside: ['pod'],
        outside: ['partner'],
        server: { on: 'partner', address: '10.77.2.10' },
      })
      const { network, cleanup } = ground
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
      const names = { 'ftp.partner.example': '10.77.2.10' }
      pod = await startPod({ objects, place: network.host('pod'), names })
      cleanup.add(pod.proxy.kill)
    })
    afterAll(() => ground?.cleanup.run())

    it('fails without the sidecar', async () => {
      const url = `ftp://10.77.2.10:21/${sharedFolder}/`
      const tried = await ground.network.host('pod').run([...curlCommand, '--ftp-port', '-', '-m', '5', url])
      expect(tried.exitCode).not.toBe(0)
    })

    it.each(['PORT', 'EPRT'] as const)('turns %s from the application into passive', async (mode) => {
      for (const client of [curl, tnftp, ftplib]) {
        if (client.cannotUse({ mode, family: 'ipv4' }) !== null) continue
        const target = { address: '127.0.0.1', port: 21 }
        const failed = await ground.transfers({ client, mode, from: 'pod', target })
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
