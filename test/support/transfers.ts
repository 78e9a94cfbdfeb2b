// One client's session with one server, run for real: its steps, then proof on both file systems.

import { chown, copyFile, link, mkdir, mkdtemp, rm, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type ClientRun,
  type ClientTask,
  dataCommands,
  type FtpClient,
  type Step,
  type Way,
} from './clients/client.ts'
import { type Sample, type Samples, sha256Of } from './samples.ts'
import { account, type FtpServer, makeUserFolder } from './servers/server.ts'

export interface Attempt extends Way, Pick<ClientTask, 'place' | 'tls'> {
  readonly client: FtpClient
  readonly server: FtpServer
  /** What the client is told to connect to: the server, or the proxy. */
  readonly target: ClientTask['server']
  readonly samples: Samples
  /** Whether 50 MiB travel too. */
  readonly large: boolean
}

/** Where downloads come from, in the server's home. */
export const sharedFolder = 'files'

/** Puts the samples where every client downloads them. */
export async function shareSamples(server: FtpServer, samples: Samples): Promise<void> {
  const folder = await makeUserFolder(server, sharedFolder)
  for (const { name } of [...samples.small, samples.long, samples.large]) {
    await copyFile(join(samples.folder, name), join(folder, name))
  }
}

/** Runs downloads, uploads, a listing and resumed transfers in one session; gives what went wrong. */
export async function attemptTransfers(attempt: Attempt): Promise<readonly string[]> {
  const { client, server, family, mode } = attempt
  attempts += 1
  const uploads = `up-${attempts}`
  const uploadFolder = await makeUserFolder(server, uploads)
  const folder = await mkdtemp(join(tmpdir(), 'ftp-alg-client-'))
  try {
    const plan = await planSteps(attempt, { folder, uploads, uploadFolder })
    const run = await client.run({
      place: attempt.place,
      folder,
      server: attempt.target,
      mode,
      ...(attempt.tls === undefined ? {} : { tls: attempt.tls }),
      steps: plan.map(({ step }) => step),
      timeoutMs: attempt.large ? 90_000 : 30_000,
    })
    const problems = judgeDialogue(run, attempt)
    for (const { step, proof, sample } of plan) {
      if (proof !== null && (await sha256Of(proof)) !== sample.sha256)
        problems.push(`${step.kind} of ${sample.name} differs`)
    }
    if (problems.length === 0) return []
    return [`${client.name} ${family} ${mode}: ${problems.join('; ')}\n${run.dialogue}`]
  } finally {
    await rm(folder, { recursive: true, force: true })
    await rm(uploadFolder, { recursive: true, force: true })
  }
}

let attempts = 0

interface Planned {
  readonly step: Step
  readonly sample: Sample
  /** The file that must equal the sample afterwards; null for a listing. */
  readonly proof: string | null
}

async function planSteps(
  { client, samples, large }: Attempt,
  places: { readonly folder: string; readonly uploads: string; readonly uploadFolder: string },
): Promise<readonly Planned[]> {
  const { folder, uploads, uploadFolder } = places
  const planned: Planned[] = []
  await mkdir(join(folder, 'sources'))
  for (const sample of large ? [...samples.small, samples.large] : samples.small) {
    const { name } = sample
    await link(join(samples.folder, name), join(folder, 'sources', name))
    planned.push(
      {
        step: { kind: 'download', remote: `${sharedFolder}/${name}`, local: name },
        sample,
        proof: join(folder, name),
      },
      {
        step: { kind: 'upload', local: `sources/${name}`, remote: `${uploads}/${name}` },
        sample,
        proof: join(uploadFolder, name),
      },
    )
  }
  planned.push({ step: { kind: 'list', remote: sharedFolder }, sample: samples.middle, proof: null })
  for (const sample of large ? [samples.middle, samples.large] : [samples.middle]) {
    planned.push(...(await planResumes(sample, samples, places)))
  }
  return planned.filter(({ step }) => client.cannotDo(step.kind) === null)
}

/** Both ways, from 30 % on. */
async function planResumes(
  sample: Sample,
  samples: Samples,
  {
    folder,
    uploads,
    uploadFolder,
  }: { readonly folder: string; readonly uploads: string; readonly uploadFolder: string },
): Promise<readonly Planned[]> {
  const { name, bytes } = sample
  const offset = Math.floor(bytes * 0.3)
  const local = join(folder, 'resumed', name)
  const remote = join(uploadFolder, `resumed-${name}`)
  await mkdir(join(folder, 'resumed'), { recursive: true })
  for (const partial of [local, remote]) {
    await copyFile(join(samples.folder, name), partial)
    await truncate(partial, offset)
  }
  await chown(remote, account.uid, account.uid)
  return [
    {
      step: { kind: 'resumeDownload', remote: `${sharedFolder}/${name}`, local: `resumed/${name}` },
      sample,
      proof: local,
    },
    {
      step: { kind: 'resumeUpload', local: `sources/${name}`, remote: `${uploads}/resumed-${name}`, offset },
      sample,
      proof: remote,
    },
  ]
}

function judgeDialogue(run: ClientRun, { client, mode, samples }: Attempt): string[] {
  const problems: string[] = []
  if (run.exitCode !== 0) problems.push(`exit code ${run.exitCode}`)
  const others = dataCommands(run).filter((verb) => verb !== mode)
  if (others.length > 0) problems.push(`it used ${[...new Set(others)].join(', ')} too`)
  if (!dataCommands(run).includes(mode)) problems.push(`it never sent ${mode}`)
  for (const { name } of samples.small)
    if (!run.listing.includes(name)) problems.push(`the listing lacks ${name}`)
  // Resuming, not sending all of it again.
  const restart = `REST ${Math.floor(samples.middle.bytes * 0.3)}`
  if (!run.commands.includes(restart)) problems.push(`it never sent ${restart}`)
  // ncftp connects to the control address when a 227 names another.
  if (client.name === 'ncftp' && run.dialogue.includes('Fixing bogus PASV'))
    problems.push('the 227 named a wrong address')
  return problems
}
