import { ftpScript } from '../support/peers/ftp-script.ts'
import { payload } from '../support/peers/payload.ts'
import type { Lab } from './lab.ts'

/** Sends half of each file, then waits for the word. */
export async function halfwayServer(lab: Lab) {
  let begun = 0
  let goOn: () => void = () => undefined
  const word = new Promise<void>((resolve) => {
    goOn = resolve
  })
  const server = await lab.server(
    ftpScript({
      verbs: {
        RETR: async (visit, { argument }) => {
          visit.reply('150 Half of it.')
          const data = await visit.data()
          const bytes = payload(Number(argument))
          await data.send(bytes.subarray(0, bytes.length / 2))
          begun += 1
          await word
          const rest = data.collect()
          data.socket.end(bytes.subarray(bytes.length / 2))
          await rest
          visit.reply('226 All of it.')
        },
      },
    }),
  )
  return { server, goOn, begun: () => begun }
}
