import type { AuditRecord, Mode, RewriteKind } from '../../engine/contract.ts'
import { assertNever } from '../../errors.ts'
import { verbs } from '../../ftp/commands.ts'
import { safeText } from '../log/text.ts'
import { classOfCode, kindOfVerb, rewriteFailureOf } from '../metrics/control.ts'
import type { LiveSession } from './state.ts'
import type { TransferJournal } from './transfer-journal.ts'

type Audit<Type extends AuditRecord['type']> = Extract<AuditRecord, { readonly type: Type }>

/** Counts and logs what the engine recorded. Called for every command and every reply: no label is built here. */
export function recordAudit(session: LiveSession, journal: TransferJournal, record: AuditRecord): void {
  const { metrics } = session
  const { log } = session.around
  switch (record.type) {
    case 'command':
      metrics.control.commands.of(record.verb).value += 1
      session.lastCommand = record.verb
      journal.command(record)
      if (log.wants('command')) log.write('command', session.fields(commandFields(record)))
      return
    case 'reply':
      metrics.control.replies[classOfCode(record.code)].value += 1
      if (!session.isGreeted && record.code >= 200) greeting(session, record)
      if (log.wants('reply')) {
        log.write('reply', session.fields({ reply_code: record.code, line: safeText(record.line) }))
      }
      return
    case 'login':
      login(session, record)
      return
    case 'rewrite':
      rewrite(session, record)
      return
    case 'conversion': {
      const { from, to } = record
      metrics.control.conversionsFrom[from].value += 1
      if (log.wants('convert')) log.write('convert', session.fields({ from, to }))
      return
    }
    case 'refusal':
      journal.refused(record.verb)
      refusal(session, record)
      return
    case 'protocolError': {
      const { side, reason } = record
      metrics.control.errors[side][reason].value += 1
      const fields = { side, reason, detail: safeText(record.detail) }
      log.write('protocol.error', session.fields(fields), `${side} ${reason}`)
      return
    }
    case 'passedThrough':
      session.passthrough = record.kind
      metrics.session.passedThrough.value += 1
      if (log.wants('tls.pass')) log.write('tls.pass', session.fields({ begins: beginnings[record.kind] }))
      return
    case 'transfer':
      journal.replied(record)
      return
    default:
      assertNever(record)
  }
}

/** Where TLS of the peers began. */
const beginnings = { explicit: 'AUTH', implicit: 'first byte' } as const

/** The engine has masked the line already; a secret must not depend on that alone. */
function commandFields({ verb, line }: Audit<'command'>) {
  const isSecret = verbs.get(verb)?.secret === true
  return { command: verb, line: isSecret ? `${verb} ***` : safeText(line) }
}

/** A limit of the server's own, to which all clients come from one address; 120 only asks for patience. */
function greeting(session: LiveSession, { code, line }: Audit<'reply'>): void {
  const { metrics, server } = session
  session.isGreeted = true
  if (code < 400) return
  const text = safeText(line)
  metrics.session.sentAway.value += 1
  const who = `${server?.address} port ${server?.port}`
  metrics.recent.sentAway.failed({ who, why: `${who}: ${text}` })
  const fields = { server_ip: server?.address, server_port: server?.port, reply_code: code, line: text }
  session.around.log.write('upstream.reject', session.fields(fields), `${code}`)
}

function login(session: LiveSession, { user, accepted, code }: Audit<'login'>): void {
  const { metrics } = session
  const { log } = session.around
  const cell = accepted ? metrics.session.loginAccepted : metrics.session.loginRefused
  cell.value += 1
  session.isLoggedIn = accepted
  session.user = safeText(user)
  const event = accepted ? 'login.accept' : 'login.refuse'
  if (log.wants(event)) log.write(event, session.fields({ user: session.user, reply_code: code }))
}

const clientMode: Readonly<Record<RewriteKind, Mode>> = {
  port: 'active',
  eprt: 'active',
  pasv_227: 'passive',
  epsv_229: 'passive',
}

function rewrite(session: LiveSession, { kind, from, to }: Audit<'rewrite'>): void {
  session.metrics.control.rewrites[kind].value += 1
  session.mode ??= clientMode[kind]
  const { log } = session.around
  if (!log.wants('rewrite')) return
  const fields = {
    kind,
    original_ip: from?.address,
    original_port: from?.port,
    announced_ip: to.address,
    announced_port: to.port,
  }
  log.write('rewrite', session.fields(fields))
}

function refusal(session: LiveSession, { verb, reason, code, detail }: Audit<'refusal'>): void {
  const { metrics } = session
  const { log } = session.around
  metrics.control.denied[reason].of(verb).value += 1
  const kind = isEndpointVerb(verb) ? kindOfVerb[verb] : null
  const failure = rewriteFailureOf[reason]
  if (kind !== null && failure !== undefined) metrics.control.rewriteFailures[kind][failure].value += 1
  session.refusals += 1
  const said = { command: safeText(verb), reason, reply_code: code, detail: safeText(detail) }
  session.around.refusals.add({
    event: 'command.deny',
    client_ip: session.client.address,
    listener: metrics.name,
    session_id: session.id,
    ...said,
  })
  log.write('command.deny', session.fields(said), reason)
}

function isEndpointVerb(verb: string): verb is keyof typeof kindOfVerb {
  return Object.hasOwn(kindOfVerb, verb)
}
