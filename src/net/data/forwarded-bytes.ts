import type { Side } from '../../engine/contract.ts'
import type { SessionObserver } from '../../observe/observer.ts'
import type { ForwardTotals } from '../../pinhole/backend.ts'

/** What one connection has carried in the kernel, counted while it runs: an hour's transfer is no spike at its end. */
export class ForwardedBytes {
  readonly #observer: Pick<SessionObserver, 'dataBytes'>
  #upload = 0
  #download = 0
  /** The side that called. */
  readonly #from: Side

  constructor(observer: Pick<SessionObserver, 'dataBytes'>, from: Side) {
    this.#observer = observer
    this.#from = from
  }

  /** As far as has been seen. */
  get totals(): { readonly uploadBytes: number; readonly downloadBytes: number } {
    return { uploadBytes: this.#upload, downloadBytes: this.#download }
  }

  /** The kernel was asked. Counts never go back, even where headers make them seem to. */
  seen({ fromPeerBytes, toPeerBytes }: ForwardTotals): void {
    const [up, down] = this.#from === 'client' ? [fromPeerBytes, toPeerBytes] : [toPeerBytes, fromPeerBytes]
    const upload = Math.max(this.#upload, up)
    const download = Math.max(this.#download, down)
    this.#observer.dataBytes({ direction: 'upload', path: 'kernel', count: upload - this.#upload })
    this.#observer.dataBytes({ direction: 'download', path: 'kernel', count: download - this.#download })
    this.#upload = upload
    this.#download = download
  }
}
