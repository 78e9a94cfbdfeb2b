/** More descriptors than a process can have (`fs.nr_open` is 2^20). */
const PLACES = 2 ** 21

/**
 * Who is told of each registered descriptor, by a number that is never used twice, unlike those of descriptors: place and
 * turn, the two words that epoll carries for us. No `Map`: one that is refilled all the time keeps garbage alive, see
 * timing/roster.ts.
 */
export class Registrations<Pollable> {
  readonly #pollables: (Pollable | null)[] = []
  /** How often each place has been given away. */
  readonly #turns: number[] = []
  readonly #free: number[] = []

  get isEmpty(): boolean {
    return this.#free.length === this.#pollables.length
  }

  add(pollable: Pollable): number {
    const place = this.#free.pop() ?? this.#pollables.length
    const turn = ((this.#turns[place] ?? 0) + 1) >>> 0
    this.#pollables[place] = pollable
    this.#turns[place] = turn
    return turn * PLACES + place
  }

  /** Null for a registration that is over. */
  at(place: number, turn: number): Pollable | null {
    return this.#turns[place] === turn ? (this.#pollables[place] ?? null) : null
  }

  hand(number: number, to: Pollable): void {
    if (this.at(placeOf(number), turnOf(number)) !== null) this.#pollables[placeOf(number)] = to
  }

  delete(number: number): void {
    const place = placeOf(number)
    if (this.at(place, turnOf(number)) === null) return
    this.#pollables[place] = null
    this.#free.push(place)
  }
}

export function placeOf(number: number): number {
  return number % PLACES
}

export function turnOf(number: number): number {
  return Math.floor(number / PLACES)
}
