// An ordinary evening at a proxy: somebody uploads, somebody downloads, somebody waits, somebody is up to no good.

import { connect, type Socket } from 'node:net'
import { expect } from 'vitest'
import type { AdminLab, AdminProxy } from '../../integration/admin-proxy.ts'
import { ftpScript, sendFile } from '../../support/peers/ftp-script.ts'
import { payload } from '../../support/peers/payload.ts'
import type { ScriptedClient } from '../../support/peers/scripted-client.ts'
import type { Wire } from '../../support/peers/wire.ts'

export interface Scene extends AdminProxy {
  readonly idle: ScriptedClient
  /** Says QUIT. */
  leave(client: ScriptedClient): Promise<void>
}

const CHUNK = 48 * 1024
const PAUSE_MS = 20

/** `more` is added to the configuration file. */
export async function startScene(lab: AdminLab, more = ''): Promise<Scene> {
  let isOver = false
  const trickle = async (data: Wire) => {
    while (!isOver && data.ending === null && !data.socket.destroyed) {
      await data.send(payload(CHUNK))
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
    }
    data.halfClose()
  }
  const script = ftpScript({
    verbs: {
      RETR: async (visit, { argument }) => {
        if (/^\d+$/.test(argument)) return sendFile(visit, payload(Number(argument)))
        visit.reply('150 Here it comes, slowly.')
        const data = await visit.data()
        const over = closed(data.socket.resume())
        await trickle(data)
        await over
        visit.reply('226 Transfer complete.')
      },
      STOR: async (visit) => {
        visit.reply('150 Send it.')
        const data = await visit.data()
        await new Promise((resolve) => data.socket.resume().once('end', resolve).once('close', resolve))
        data.halfClose()
        visit.reply('226 Stored.')
      },
    },
  })
  const proxy = await lab.start({
    script,
    more: `limits: { sessions: 200 }\n${more}`,
  })
  const { login, transfer, ftp } = proxy
  const camera = await login('camera-07', '127.0.7.7')
  const uploadTo = await camera.passive()
  await camera.send('STOR 2026-05-04/film.mp4')
  const upload = await camera.connectData(uploadTo)
  expect((await camera.reply()).code).toBe(150)
  void trickle(upload)
  const backup = await login('backup', '127.0.0.12')
  const downloadFrom = await backup.passive('EPSV')
  await backup.send('RETR nightly.tar.zst')
  const download = await backup.connectData(downloadFrom)
  expect((await backup.reply()).code).toBe(150)
  download.socket.resume()
  const anna = await login('anna', '127.0.0.31')
  await transfer(anna, 1_500_000)
  const waiting = await login('erp-export', '127.0.0.44')
  const hole = await waiting.passive('EPSV')
  const scanner = await login('anonymous', '127.0.66.6')
  await scanner.command('PORT 10,0,0,9,0,22')
  await scanner.command('PORT 10,0,0,9,0,22')
  await scanner.command('LPRT 4,4,127,0,0,1,2,4,1')
  const stranger = connect({ host: hole.address, port: hole.port, localAddress: '127.0.66.6' })
  stranger.on('error', () => undefined)
  await closed(stranger)
  const unknown = connect({ host: ftp.address, port: ftp.port, localAddress: '127.0.0.99' })
  unknown.on('error', () => undefined)
  lab.onClose(() => unknown.destroy())
  lab.onClose(() => {
    isOver = true
  })
  return {
    ...proxy,
    idle: anna,
    leave: async (client) => {
      await client.command('QUIT')
      client.close()
    },
  }
}

function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()))
}
