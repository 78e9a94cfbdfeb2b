// What a real FTP client is asked to do in the tests, and what it gives back. One `run` is one session (one
// login, several transfers), except for clients that can only do one transfer per process.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type DebianTree, debianTree } from '../debian.ts'
import type { Family } from '../netns.ts'
import type { Place, Ran } from '../programs.ts'

export type ClientName = 'curl' | 'lftp' | 'tnftp' | 'ncftp' | 'wget' | 'ftplib' | 'basic-ftp'

/** The command that sets up each data connection. */
export type DataMode = 'PASV' | 'EPSV' | 'PORT' | 'EPRT'

/** One way of setting up data connections. */
export interface Way {
  readonly family: Family
  readonly mode: DataMode
}

export const dataModes: readonly DataMode[] = ['PASV', 'EPSV', 'PORT', 'EPRT']

/** Remote names are relative to the login folder, local names to the task's folder. */
export type Step =
  | { readonly kind: 'download'; readonly remote: string; readonly local: string }
  | { readonly kind: 'upload'; readonly local: string; readonly remote: string }
  /** The listing of a folder goes to `ClientRun.listing`. */
  | { readonly kind: 'list'; readonly remote: string }
  /** The local file holds the first bytes: the client asks for the rest with REST. */
  | { readonly kind: 'resumeDownload'; readonly remote: string; readonly local: string }
  /** The remote file holds the first `offset` bytes: the client sends the rest with APPE or REST + STOR. */
  | {
      readonly kind: 'resumeUpload'
      readonly local: string
      readonly remote: string
      readonly offset: number
    }

export interface ClientTls {
  readonly how: 'explicit' | 'implicit'
  /** PEM of the authority that servers are checked with. */
  readonly ca: string
}

export interface ClientTask {
  readonly place: Place
  /** The client's working folder and `$HOME`. */
  readonly folder: string
  readonly server: { readonly address: string; readonly port: number }
  readonly mode: DataMode
  /** Control and data are encrypted; absent: neither. */
  readonly tls?: ClientTls
  readonly steps: readonly Step[]
  /** After which the client is killed; 60 s unless said. */
  readonly timeoutMs?: number
}

export interface ClientRun {
  readonly exitCode: number
  /** Everything it printed: commands, replies and its own words. */
  readonly dialogue: string
  /** The command lines it sent, as it printed them. */
  readonly commands: readonly string[]
  /** What the `list` step gave, as the client presents it. */
  readonly listing: string
}

export interface FtpClient {
  readonly name: ClientName
  /** Why it cannot use this data mode, or null: `'always EPSV or EPRT on IPv6'`. */
  cannotUse(asked: Way): string | null
  /** Why it cannot do this kind of step, or null: `'wget only downloads'`. */
  cannotDo(kind: Step['kind']): string | null
  /** Why it cannot begin TLS like that, or null: `'has no TLS'`. */
  cannotSecure(how: ClientTls['how']): string | null
  run(task: ClientTask): Promise<ClientRun>
  /** `7.88.1`. */
  version(): Promise<string>
}

/** Where a client that can puts the listing, in the task's folder. */
export const listingFile = 'listing.txt'

export const clientPackages = ['lftp', 'tnftp', 'ncftp']

export function clientTree(): Promise<DebianTree> {
  return debianTree(clientPackages)
}

/** The commands that set up data connections, in order: `['PASV', 'PASV', 'EPSV']`. */
export function dataCommands(run: ClientRun): readonly string[] {
  return run.commands
    .map((line) => line.split(' ')[0] ?? '')
    .filter((verb) => /^(PASV|EPSV|PORT|EPRT)$/.test(verb))
}

/** Takes what a finished client printed apart; `command` has the command line as its first group. */
export async function clientRun(task: ClientTask, ran: Ran, command: RegExp): Promise<ClientRun> {
  const dialogue = ran.stdout + ran.stderr + (ran.timedOut ? '\n(the client was killed: time was up)\n' : '')
  const listing = await readFile(join(task.folder, listingFile), 'latin1').catch(() => '')
  return {
    exitCode: ran.exitCode,
    dialogue,
    commands: [...dialogue.matchAll(command)].map((match) => (match[1] ?? '').trim()),
    listing,
  }
}

/** Clients that name their modes by family: PASV and PORT on IPv4, EPSV and EPRT on IPv6. */
export function modesByFamily(asked: Way): string | null {
  const extended = asked.mode === 'EPSV' || asked.mode === 'EPRT'
  if (asked.family === 'ipv4' && extended) return `uses ${asked.mode} on IPv6 only`
  return onlyExtendedOnIpv6(asked)
}

export function onlyExtendedOnIpv6(asked: {
  readonly mode: DataMode
  readonly family: Family
}): string | null {
  if (asked.family === 'ipv4' || asked.mode === 'EPSV' || asked.mode === 'EPRT') return null
  return `no ${asked.mode} on IPv6 (nor in its RFC)`
}

/** `10.0.0.1` stays, `::1` gives `[::1]`. */
export function urlHost(address: string): string {
  return address.includes(':') ? `[${address}]` : address
}
