import { once } from 'node:events'
import { createServer, get as httpGet, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, test } from 'vitest'
import { createEventStream } from '../../../src/observe/admin/event-stream.ts'
import { renderSections } from '../../../src/observe/page/render.ts'
import { ask, startAdmin } from './admin-fixture.ts'
import { client, contentOf, observe } from './fixture.ts'

interface Update {
  readonly version: string
  readonly sections: Readonly<Record<string, string>>
}

/** An open page: yields updates as they come. */
async function listenTo(port: number) {
  const request = httpGet({ host: '127.0.0.1', port, path: '/events', agent: false })
  request.on('error', () => undefined)
  const [response]: IncomingMessage[] = await once(request, 'response')
  if (response === undefined) throw new Error('no response')
  // Who closes in mid-stream is told so.
  response.on('error', () => undefined)
  const updates = updatesOf(response)
  return {
    response,
    closed: new Promise<void>((resolve) => response.once('close', () => resolve())),
    next: async (): Promise<Update> => {
      const { value, done } = await updates.next()
      if (done === true) throw new Error('the stream has ended')
      return value
    },
    close: () => request.destroy(),
  }
}

async function* updatesOf(response: IncomingMessage): AsyncGenerator<Update, undefined> {
  let text = ''
  for await (const chunk of response.setEncoding('utf8')) {
    text += chunk
    const events = text.split('\n\n')
    text = events.pop() ?? ''
    for (const event of events) {
      const [, data] = /^event: update\ndata: (.*)$/.exec(event) ?? []
      if (data !== undefined) yield JSON.parse(data)
    }
  }
  return undefined
}

describe('updates of the status page', () => {
  test('begin with the whole page, then say what has changed', async () => {
    const { port, observer } = await startAdmin()
    const page = await listenTo(port)
    expect(page.response.statusCode).toBe(200)
    expect(page.response.headers).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'content-security-policy': expect.stringMatching(/^default-src 'none'/),
    })
    const first = await page.next()
    expect(first.version).toBe('1.2.3')
    expect(Object.keys(first.sections)).toEqual([
      'header',
      'attention',
      'figures',
      'listeners',
      'sessions',
      'pinholes',
      'pools',
      'refusals',
      'footer',
    ])
    const session = observer.sessionOpened({ listener: 'edge', client })
    const second = await page.next()
    expect(second.sections.sessions).toContain(session.id)
    expect(Object.keys(second.sections)).not.toContain('pools')
    page.close()
  })

  test('a page that is opened later gets everything too', async () => {
    const { port } = await startAdmin()
    const first = await listenTo(port)
    await first.next()
    const second = await listenTo(port)
    expect(Object.keys((await second.next()).sections)).toHaveLength(9)
    for (const page of [first, second]) page.close()
  })

  test('nothing is rendered while nobody listens, and once for all who do', async () => {
    const { observer } = observe()
    let asked = 0
    const counting = {
      ...observer,
      status: () => {
        asked += 1
        return observer.status()
      },
    }
    const { port } = await startAdmin({ observer: counting })
    expect(asked).toBe(0)
    const start = performance.now()
    const pages = await Promise.all(Array.from({ length: 10 }, () => listenTo(port)))
    for (let n = 0; n < 3; n += 1) await Promise.all(pages.map((page) => page.next()))
    const seconds = (performance.now() - start) / 1000
    expect(asked).toBeLessThanOrEqual(Math.ceil(seconds) + 4)
    for (const page of pages) page.close()
    await Promise.all(pages.map((page) => page.closed))
    // The next page is alone: the server has noticed that the others have left.
    const alone = await listenTo(port)
    const [before, since] = [asked, performance.now()]
    await alone.next()
    expect(asked - before).toBeLessThanOrEqual(Math.ceil((performance.now() - since) / 1000))
    alone.close()
  })

  test('sixteen pages are kept up to date; the next is told to load itself again', async () => {
    const { port } = await startAdmin()
    const pages = await Promise.all(Array.from({ length: 16 }, () => listenTo(port)))
    const refused = await ask({ port, path: '/events' })
    expect([refused.status, refused.body]).toEqual([
      503,
      'enough pages are kept up to date; this one can be loaded again\n',
    ])
    expect((await ask({ port, path: '/livez' })).status).toBe(200)
    pages[0]?.close()
    const freed = async () => {
      const page = await listenTo(port)
      page.close()
      return page.response.statusCode
    }
    await expect.poll(freed).toBe(200)
    for (const page of pages) page.close()
  })

  test('a listener that does not read costs a bounded amount of memory, and gets the whole page once it does', async () => {
    const sections = { ...renderSections(contentOf(observe().observer)), pools: 'x'.repeat(100_000) }
    let rendered = 0
    const stream = createEventStream({
      render: async () => {
        rendered += 1
        return {
          version: '1',
          sections: { ...sections, header: `${rendered}`, sessions: 'y'.repeat(1e6 + rendered) },
        }
      },
      failed: (error) => expect(error).toBeNull(),
      intervalMs: 5,
    })
    let unread = () => 0
    const server = createServer((_request, response) => {
      unread = () => response.writableLength
      stream.join(response, {})
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const slow = await listenTo(port)
    slow.response.pause()
    await expect.poll(() => unread()).toBeGreaterThan(256 * 1024)
    const before = rendered
    await expect.poll(() => rendered).toBeGreaterThan(before + 20)
    expect(unread()).toBeLessThan(3e6)
    slow.response.resume()
    let update = await slow.next()
    while (Number(update.sections.header) <= before) update = await slow.next()
    expect(update.sections.pools).toHaveLength(100_000)
    slow.close()
    server.close()
  })

  test('end when the page cannot be made, and say so in the log', async () => {
    const { observer, linesOf } = observe()
    let isBroken = false
    const { port } = await startAdmin({
      observer: {
        ...observer,
        status: () => {
          if (isBroken) throw new Error('broken')
          return observer.status()
        },
      },
    })
    const page = await listenTo(port)
    await page.next()
    isBroken = true
    await expect(page.next()).rejects.toThrow('the stream has ended')
    expect(linesOf('admin.fail')).toMatchObject([
      { level: 'error', url_path: '/events', error: { message: 'broken' } },
    ])
  })

  test('end when the server stops', async () => {
    const { port, server } = await startAdmin()
    const page = await listenTo(port)
    await page.next()
    await server.stop()
    await page.closed
  })

  test('HEAD gives nothing', async () => {
    const { port } = await startAdmin()
    expect((await ask({ port, path: '/events', method: 'HEAD' })).status).toBe(404)
  })
})
