import {
  type Endpoint,
  format227,
  format229,
  parse227,
  parse229,
  rewrite227,
  rewrite229,
} from '../ftp/endpoints.ts'
import { linesBeforeEndpoint } from '../ftp/harmless.ts'
import type { DataVerb } from './data-request.ts'
import type { Reply } from './reply.ts'

/** A 227 or 229 in the server's own words where it answered the same verb, in ours otherwise. */
export function announcement({
  verb,
  announce,
  ownReply,
}: {
  verb: DataVerb
  announce: Endpoint
  ownReply: Reply | null
}): string {
  const line = ownReply?.line ?? ''
  const at227 = verb === 'PASV' && ownReply?.code === 227 ? parse227(line) : null
  if (ownReply !== null && at227 !== null) return withLastLine(ownReply, rewrite227(line, at227, announce))
  const at229 = verb === 'EPSV' && ownReply?.code === 229 ? parse229(line) : null
  if (ownReply !== null && at229?.isStrict === true)
    return withLastLine(ownReply, rewrite229(line, at229, announce.port))
  return `${verb === 'PASV' ? format227(announce) : format229(announce.port)}\r\n`
}

/** The lines before the last stay as the server wrote them, but for what a client could take for an endpoint. */
function withLastLine({ text, line }: Reply, rewritten: string): string {
  const end = text.endsWith('\r\n') ? '\r\n' : '\n'
  return `${linesBeforeEndpoint(text.slice(0, text.length - line.length - end.length))}${rewritten}${end}`
}
