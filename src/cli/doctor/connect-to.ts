import type { Endpoint } from '../../ftp/endpoints.ts'
import type { Connection, ConnectionError } from '../../tcp/connection.ts'
import type { Tcp } from '../../tcp/tcp.ts'

export function connectTo(tcp: Tcp, to: Endpoint): Promise<Connection> {
  return new Promise((resolve, reject) => {
    tcp.connect({ to, from: null }, (error: ConnectionError | null, connection) => {
      if (connection === null) reject(error)
      else resolve(connection)
    })
  })
}
