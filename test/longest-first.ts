import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** The longest files, a minute or so each: begun last, one of them would keep a single core busy while the others idle. */
const long = [
  'matrix',
  'readme',
  'survival',
  'ftps',
  'docker',
  'security',
  'status-page',
  'modes',
  'nat',
].map((name) => new RegExp(`/e2e/(.*/)?${name}\\.test\\.ts$`))

/** Begins with the longest files of a run, also in a fresh checkout, where Vitest knows no durations yet. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const rank = ({ moduleId }: TestSpecification) => {
      const at = long.findIndex((name) => name.test(moduleId))
      return at < 0 ? long.length : at
    }
    return sorted.toSorted((one, other) => rank(one) - rank(other))
  }
}
