/** A member knows where it stands; -1 while it stands nowhere. Only its roster writes it. */
export interface RosterMember {
  place: number
}

/**
 * A set of members that come and go all the time, in no order.
 *
 * A `Set` that is used so is rebuilt every few dozen members, and each table that it has left points to its successor. Once
 * a full collection has moved one of them to the old generation, no collection of the young one frees what any later table
 * held: with 16 clients 8 kB a session.
 */
export class Roster<Member extends RosterMember> {
  readonly #members: (Member | null)[] = []
  readonly #free: number[] = []

  get size(): number {
    return this.#members.length - this.#free.length
  }

  /** Each member once, and in one roster at a time. */
  add(member: Member): void {
    member.place = this.#free.pop() ?? this.#members.length
    this.#members[member.place] = member
  }

  /** False for one that is not in it. */
  delete(member: Member): boolean {
    const { place } = member
    if (this.#members[place] !== member) return false
    this.#members[place] = null
    this.#free.push(place)
    member.place = -1
    return true
  }

  /** Those that go meanwhile are left out; those that come may be. */
  *[Symbol.iterator](): Generator<Member> {
    for (let place = 0; place < this.#members.length; place += 1) {
      const member = this.#members[place] ?? null
      if (member !== null) yield member
    }
  }
}
