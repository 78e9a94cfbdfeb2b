// The chart as helm renders it.

import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import type { KubernetesObject } from './kubernetes.ts'
import { kubernetesTools } from './kubernetes-tools.ts'
import { runProgram } from './programs.ts'

export type Values = Readonly<Record<string, unknown>>

export const chartFolder = new URL('../../deploy/helm/ftp-alg', import.meta.url).pathname

/** `helm template`, with the values as a file. Throws with what helm says. */
export async function renderChart(values: Values, release = 'ftp-alg'): Promise<readonly KubernetesObject[]> {
  const { exitCode, stdout, stderr } = await helm(
    ['template', release, chartFolder, '--namespace', 'ftp'],
    values,
  )
  if (exitCode !== 0) throw new Error(stderr)
  const text = Buffer.from(stdout, 'latin1').toString('utf8')
  return parseAllDocuments(text).flatMap((document) => document.toJS() ?? [])
}

/** Any command of helm; `values` become its standard input. */
export async function helm(argv: readonly string[], values?: Values) {
  const tools = await kubernetesTools()
  const withValues = values === undefined ? [] : ['--values', '-']
  // Its own cache and settings, and none of whoever runs the tests.
  const env = { HELM_CONFIG_HOME: join(chartFolder, 'none'), HELM_DATA_HOME: join(chartFolder, 'none') }
  return runProgram([tools.helm, ...argv, ...withValues], { input: JSON.stringify(values ?? {}), env })
}
