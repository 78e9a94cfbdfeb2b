// `reloadOnChange`: the file that the configuration was read from, and what it held then.

import { type ConfigSources, configFileOf } from '../config/load.ts'
import { type FileWatch, fingerprint, watchFiles } from '../process/watch-files.ts'

export interface ConfigWatch {
  /** The file is about to be read: what differs from now on is a change. */
  reading(): void
  /** Tells of the next changes, since it was last read, until `stop`; without a file, of none. */
  follow(changed: (file: string) => void): void
  stop(): void
}

/** Call it before the configuration is read. Errors: CONFIG_INVALID, as `loadConfig`. */
export function watchConfigFile(sources: ConfigSources): ConfigWatch {
  const file = configFileOf(sources)
  const files = file === null ? [] : [file]
  let since = fingerprint(files)
  let watch: FileWatch | null = null
  const stop = () => {
    watch?.stop()
    watch = null
  }
  return {
    reading: () => {
      since = fingerprint(files)
    },
    follow: (changed) => {
      stop()
      if (file !== null) watch = watchFiles({ files, since, changed: () => changed(file) })
    },
    stop,
  }
}
