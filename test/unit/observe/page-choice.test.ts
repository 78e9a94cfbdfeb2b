import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { chooseSessions, readChoice, writeChoice } from '../../../src/observe/page/choice.ts'
import { renderSections } from '../../../src/observe/page/render.ts'
import { startAdmin } from './admin-fixture.ts'
import { contentOf, observe } from './fixture.ts'

/** Two hundred sessions: users user-000 to user-199, of whom every tenth is a backup. */
function crowd() {
  const { observer } = observe({ level: 'error' })
  observer.listenerStarted({ listener: 'edge', at: { address: '0.0.0.0', port: 2121 }, sessionLimit: 1000 })
  for (let n = 0; n < 200; n += 1) {
    const session = observer.sessionOpened({
      listener: 'edge',
      client: { address: `198.51.100.${n}`, port: 40_000 },
    })
    const user = n % 10 === 0 ? `Backup-${n}` : `user-${n}`
    session.record({ type: 'login', user, accepted: true, code: 230 })
    session.dataBytes({ direction: 'download', path: 'relay', count: (n * 37) % 200 })
  }
  return observer
}

function shown(query: string, observer = crowd()): readonly string[] {
  const choice = readChoice(new URLSearchParams(query))
  const { sessions } = renderSections(contentOf(observer, { choice }))
  return [...sessions.matchAll(/<td class="text">([^<]*)</g)].map(([, user = '']) => user)
}

describe('the sessions of the status page', () => {
  test('are found by a part of what stands in them, whatever its case', () => {
    const found = shown('filter=BACKUP-1')
    expect(found).toEqual(['Backup-10', ...Array.from({ length: 10 }, (_, n) => `Backup-${100 + 10 * n}`)])
    expect(shown('filter=198.51.100.77:40000')).toEqual(['user-77'])
    expect(shown('filter=nobody-at-all')).toEqual([])
  })

  test('stand in the order that a column gives, the largest figure first, and the other way round', () => {
    const down = (query: string) => shown(query).slice(0, 3)
    const byCount = Array.from({ length: 200 }, (_, n) => ({ n, count: (n * 37) % 200 }))
    const first = byCount.toSorted((one, other) => other.count - one.count || one.n - other.n).slice(0, 3)
    const last = byCount.toSorted((one, other) => one.count - other.count || one.n - other.n).slice(0, 3)
    const names = (rows: typeof first) => rows.map(({ n }) => (n % 10 === 0 ? `Backup-${n}` : `user-${n}`))
    expect(down('sort=down')).toEqual(names(first))
    expect(down('sort=-down')).toEqual(names(last))
    expect(down('sort=user')).toEqual(['Backup-0', 'Backup-10', 'Backup-20'])
    expect(shown('sort=-user')[0]).toBe('user-199')
  })

  test('are a hundred at most, and the page says how many there are', () => {
    const { sessions } = renderSections(
      contentOf(crowd(), { choice: readChoice(new URLSearchParams('filter=user')) }),
    )
    expect(sessions).toContain('<span class="count">180 of 200</span>')
    expect(sessions).toContain('and 80 more: filter for fewer.')
  })

  test('can be asked for again by the address of the page', () => {
    fc.assert(
      fc.property(
        fc.string({ maxLength: 60 }).map((text) => text.trim()),
        fc.constantFrom('', 'down', '-down', 'user', 'toString', '__proto__', '--up'),
        (filter, sort) => {
          const choice = readChoice(new URLSearchParams({ filter, sort }))
          expect(readChoice(new URLSearchParams(writeChoice(choice)))).toEqual(choice)
          expect(choice.filter).toBe(filter)
          expect(choice.sort === null || ['down', 'user'].includes(choice.sort.by)).toBe(true)
        },
      ),
    )
  })

  test('are chosen without a mistake whatever is asked for', () => {
    const { items } = crowd().sessions()
    for (const sort of ['client', 'user', 'state', 'command', 'up', 'down', 'refused', 'age', 'listener']) {
      const choice = readChoice(new URLSearchParams({ sort }))
      expect([sort, choice.sort?.by, chooseSessions(items, choice).length]).toEqual([sort, sort, 200])
    }
  })

  test('cannot be made markup by what is filtered for', async () => {
    const observer = crowd()
    const { get } = await startAdmin({ observer })
    const { body } = await get(`/?filter=${encodeURIComponent('"><script>alert(1)</script>')}&sort=down`)
    expect(body).toContain('value="&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;"')
    expect(body).not.toContain('<script>alert')
    const { body: again } = await get('/?filter=user-77')
    expect(again).toContain('1 of 200')
  })
})

test('buttons are there only where there is a token, and hidden until it is shown', () => {
  const observer = crowd()
  const without = renderSections(contentOf(observer))
  expect(without.sessions + without.listeners).not.toContain('<button type="button"')
  const { sessions, listeners } = renderSections(contentOf(observer, { canAct: true }))
  expect(
    sessions.match(/<td class="act"><button type="button" data-act="end" data-of="\w{10}"/g),
  ).toHaveLength(100)
  expect(listeners).toContain('data-act="drain" data-of="edge"')
  observer.listenerDrained({ listener: 'edge', isDrained: true })
  const drained = renderSections(contentOf(observer, { canAct: true }))
  expect(drained.listeners).toContain('data-act="resume" data-of="edge"')
  expect(drained.listeners).toContain('<small class="bad">drained</small>')
  expect(drained.attention).toContain(
    'An operator drains listener edge: new clients get 421, 200 sessions left.',
  )
})
