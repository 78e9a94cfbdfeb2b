import { type Choose, RandomServer } from './random-server.ts'

/** What the world asks of a server. */
export type AskedServer = Pick<RandomServer, 'isIdle' | 'asked' | 'answer'>

/**
 * A server that answers a command twice, the second time at once or much later, and says a reply in two pieces. `isDeaf`: now
 * and then it never answers. The login goes well.
 */
export class OddServer implements AskedServer {
  readonly #choose: Choose
  readonly #server: RandomServer
  readonly #isDeaf: boolean
  /** To be said next. */
  #rest = ''
  /** Second answers, which come at some time. */
  readonly #again: string[] = []
  #loginLeft = 2
  #isOdd = true

  constructor(choose: Choose, { isDeaf }: { readonly isDeaf: boolean }) {
    this.#choose = choose
    this.#server = new RandomServer(choose)
    this.#isDeaf = isDeaf
  }

  get isIdle(): boolean {
    return this.#server.isIdle && this.#rest === '' && this.#again.length === 0
  }

  asked(line: string): void {
    this.#server.asked(line)
  }

  answer(): string {
    const rest = this.#rest
    this.#rest = ''
    if (rest !== '') return rest
    const [again] = this.#again
    if (again !== undefined && (this.#server.isIdle || this.#choose(4) === 0)) {
      this.#again.shift()
      return again
    }
    const reply = this.#server.answer()
    this.#loginLeft -= 1
    return this.#loginLeft < 0 && this.#isOdd && reply !== '' ? this.#oddly(reply) : reply
  }

  /** From now on it is a server like others, but for what it still has to say. */
  recover(): void {
    this.#isOdd = false
  }

  #oddly(reply: string): string {
    switch (this.#choose(this.#isDeaf ? 9 : 8)) {
      case 0:
        this.#again.push(reply)
        return reply
      case 1:
        return reply + reply
      case 2:
      case 3: {
        const cut = 1 + this.#choose(reply.length - 1)
        this.#rest = reply.slice(cut)
        return reply.slice(0, cut)
      }
      case 8:
        return ''
      default:
        return reply
    }
  }
}
