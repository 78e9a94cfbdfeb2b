// A process that opens one pinhole in the namespace it is started in, says where, and then does nothing: made to
// be killed. Runs what was built, as a user would.
//
// node pinhole-holder.js '{"request": {…}, "ports": {"first": 31000, "last": 31000}}'

import { createNftablesBackend } from '../../dist/pinhole/nftables/create.js'
import { PortPool } from '../../dist/pinhole/port-pool.js'
import { RelayBackend } from '../../dist/pinhole/relay/relay-backend.js'

const { request, ports } = JSON.parse(process.argv[2] ?? '{}')
const pool = new PortPool({ ...ports, quarantineMs: 0, share: 10, random: () => 0 })
const pools = { client: pool, server: pool }
const now = () => performance.now()
const relay = new RelayBackend({ pools, intruded: () => undefined, now })
const backend = await createNftablesBackend({ relay, pools, now, log: () => undefined })
const say = (line) => process.stdout.write(`${line}\n`)
backend.open(
  request,
  {
    connected: () => say('connected'),
    forwarded: () => say('forwarded'),
    forwardEnded: () => say('forwardEnded'),
    expired: () => say('expired'),
  },
  (error, pinhole) => say(error === null ? `open ${pinhole?.at.port}` : `failed ${error.message}`),
)
setInterval(() => undefined, 60_000)
