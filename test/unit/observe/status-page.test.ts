import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { html } from '../../../src/observe/page/html.ts'
import { renderPage, renderSections } from '../../../src/observe/page/render.ts'
import { pageStyle } from '../../../src/observe/page/style.ts'
import type { Recorder } from '../../../src/observe/recorder.ts'
import { startAdmin } from './admin-fixture.ts'
import { client, contentOf, observe, server } from './fixture.ts'

/** What a reader sees of some markup. */
function textOf(markup: string): string {
  return markup
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll(/\s+/g, ' ')
    .trim()
}

function quietProxy(): Recorder {
  const { observer } = observe({ level: 'error' })
  observer.listenerStarted({ listener: 'edge', at: { address: '0.0.0.0', port: 2121 }, sessionLimit: 100 })
  observer.poolsMeasuredBy(() => [{ pool: 'shared', ports: 100, inUse: 0, quarantined: 0 }])
  return observer
}

describe('the status page', () => {
  test('is HTML that a hostile user name cannot change', async () => {
    const { get, observer } = await startAdmin()
    const session = observer.sessionOpened({ listener: 'edge', client })
    session.record({ type: 'login', user: '<script>alert(1)</script>', accepted: true, code: 230 })
    session.record({ type: 'refusal', verb: 'PORT', reason: 'syntax', code: 501, detail: '"><img src=x>' })
    const { status, headers, body } = await get('/')
    expect(status).toBe(200)
    expect(headers['content-type']).toBe('text/html; charset=utf-8')
    expect(body).toContain('&lt;script&gt;alert(1)&lt;/script&gt;')
    expect(body).toContain('&quot;&gt;&lt;img src=x&gt;')
    const ownScript = '<script src="script.js" defer></script>'
    expect(body).toContain(ownScript)
    expect(body.replace(ownScript, '')).not.toMatch(/<script|<img|style=|\son\w+=/)
  })

  test('lists the servers of pools, where there are any', () => {
    const observer = quietProxy()
    expect(renderPage(contentOf(observer))).toContain('<section id="servers" class="card" hidden>')
    const server = { pool: 'files', server: 'a:21', isUp: true, isBackup: false, sessions: 3, failures: 0 }
    const backup = { ...server, server: 'b:21', isUp: false, isBackup: true, failures: 7 }
    observer.upstreamsMeasuredBy(() => [{ pool: 'files', failovers: 1, servers: [server, backup] }])
    const [, card = ''] =
      /<section id="servers" class="card">(.*?)<\/section>/s.exec(renderPage(contentOf(observer))) ?? []
    expect(textOf(card)).toMatch(/a:21 files up 3 .*b:21 backup files down 3 7/)
  })

  test('nothing that is put into a template becomes markup', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const { text: markup } = html`<b title="${text}">${text}</b>`
        const [, title = '', inner = ''] = /^<b title="([^"]*)">([^<>]*)<\/b>$/.exec(markup) ?? []
        expect(title).toBe(inner)
        expect(unescaped(inner)).toBe(text.replaceAll(/[\x00-\x1f\x7f]/g, pictureOf))
      }),
    )
  })

  test('finds its style sheet, its script and its icon', async () => {
    const { get } = await startAdmin()
    const { body } = await get('/')
    const links = [...body.matchAll(/(?:href|src)="([\w.]+\.(?:css|js|svg))"/g)].map(([, link]) => link)
    expect(links).toEqual(['icon.svg', 'style.css', 'script.js'])
    const types = await Promise.all(
      links.map(async (link) => (await get(`/${link}`)).headers['content-type']),
    )
    expect(types).toEqual(['image/svg+xml', 'text/css; charset=utf-8', 'text/javascript; charset=utf-8'])
  })

  test('refreshes itself where scripts do not run', () => {
    expect(renderPage(contentOf(quietProxy()))).toContain(
      '<noscript><meta http-equiv="refresh" content="5"></noscript>',
    )
  })

  test('says something useful where there is nothing to list', () => {
    const parts = renderSections(contentOf(quietProxy()))
    expect(textOf(parts.attention)).toBe('Nothing needs attention.')
    expect(textOf(parts.sessions)).toBe(
      'Sessions 0 No clients are connected. Clients connect to 0.0.0.0:2121.',
    )
    expect(textOf(parts.pinholes)).toMatch(/^Pinholes 0 No pinhole is waiting\./)
    expect(textOf(parts.refusals)).toMatch(
      /^Recent refusals 0 Nothing was refused since the start \d+s ago\.$/,
    )
  })

  test('shows figures for people, with the exact ones at hand', () => {
    const observer = quietProxy()
    const session = observer.sessionOpened({ listener: 'edge', client })
    session.upstreamConnected({ server, durationMs: 1 })
    session.dataOpened({ channel: 1, mode: 'passive', path: 'relay', setupMs: 1 })
    session.dataBytes({ direction: 'download', path: 'relay', count: 1_234_567 })
    const { sessions, figures } = renderSections(
      contentOf(observer, { rates: { upload: 0, download: 2_500_000 } }),
    )
    expect(sessions).toContain('<span title="1,234,567 bytes">1.2 MB</span>')
    expect(textOf(sessions)).toContain('203.0.113.9:40001 → 10.0.0.5:21')
    expect(textOf(sessions)).toContain('transfer passive')
    expect(textOf(figures)).toContain('Throughput 2.5 MB /s ↑ 0 B/s ↓ 2.5 MB/s')
  })

  test('shows a hundred sessions and says how many more there are, never leaving out a busy one', () => {
    const observer = quietProxy()
    for (let n = 0; n < 150; n += 1) observer.sessionOpened({ listener: 'edge', client })
    const busy = observer.sessionOpened({ listener: 'edge', client })
    busy.upstreamConnected({ server, durationMs: 1 })
    busy.dataOpened({ channel: 1, mode: 'active', path: 'relay', setupMs: 1 })
    const { sessions } = renderSections(contentOf(observer))
    expect(sessions.match(/<tr data-key=/g)).toHaveLength(100)
    expect(textOf(sessions)).toContain('and 51 more')
    expect(sessions).toContain(`data-key="${busy.id}"`)
  })

  test('shows pinholes with what they wait for and for how long', () => {
    const observer = quietProxy()
    observer.sessionOpened({ listener: 'edge', client }).pinholeOpened({
      pinhole: 1,
      from: 'client',
      expect: client.address,
      announce: { address: '2001:db8::7', port: 30_001 },
      target: null,
      backend: 'relay',
      durationMs: 1,
    })
    const { pinholes } = renderSections(contentOf(observer))
    expect(textOf(pinholes)).toMatch(
      /203\.0\.113\.9 client \[2001:db8::7\]:30001 the session’s other leg relay (59s|1m 0s) edge/,
    )
    expect(pinholes).toMatch(/<rect class="used" width="(100\.0|99\.\d)%"/)
  })

  test('explains refusals in words', () => {
    const observer = quietProxy()
    const session = observer.sessionOpened({ listener: 'edge', client })
    session.record({
      type: 'refusal',
      verb: 'PORT',
      reason: 'bounce',
      code: 501,
      detail: 'PORT 10,0,0,9,0,21',
    })
    observer.pinholeIntruded({ from: { address: '192.0.2.1', port: 1 }, port: 30_000, reason: 'wrong_peer' })
    const text = textOf(renderSections(contentOf(observer)).refusals)
    expect(text).toContain('PORT → 501 PORT or EPRT named another host PORT 10,0,0,9,0,21 1 edge')
    expect(text).toContain(
      '192.0.2.1 stranger at a data port from an address that nothing expects here port 30000',
    )
  })

  test('every table has a caption, column heads and a name for its scrolling region', () => {
    const observer = quietProxy()
    observer.sessionOpened({ listener: 'edge', client })
    observer.sessionRejected({ listener: 'edge', client, reason: 'limit' })
    const page = renderPage(contentOf(observer))
    const tables = page.match(/<table>.*?<\/table>/gs) ?? []
    expect(tables.length).toBe(4)
    for (const table of tables)
      expect(table).toMatch(
        /^<table><caption>.+<\/caption><thead><tr>(<th scope="col"[^>]*>(?:<a [^>]+>)?[^<]+(?:<\/a>)?<\/th>)+</,
      )
    const ids = new Set([...page.matchAll(/\sid="([^"]+)"/g)].map(([, id]) => id))
    const named = [...page.matchAll(/aria-labelledby="([^"]+)"/g)].map(([, id]) => id)
    expect(named.filter((id) => !ids.has(id))).toEqual([])
  })

  test('has text that stands out from its ground, by day and by night', () => {
    const palettes = [...pageStyle.matchAll(/:root \{([^}]*--ground[^}]*)\}/g)].map(([, text = '']) =>
      paletteOf(text),
    )
    expect(palettes).toHaveLength(2)
    for (const palette of palettes) {
      for (const ground of ['ground', 'card', 'hover']) {
        for (const ink of ['ink', 'soft', 'faint', 'accent', 'good', 'warn', 'bad']) {
          expect([ink, ground, contrast(palette, ink, ground) >= 4.5]).toEqual([ink, ground, true])
        }
      }
      expect(contrast(palette, 'warn', 'warn-ground')).toBeGreaterThan(4.5)
      expect(contrast(palette, 'bad', 'bad-ground')).toBeGreaterThan(4.5)
    }
  })
})

function pictureOf(character: string): string {
  return character === '\x7f' ? '␡' : String.fromCharCode(0x2400 + character.charCodeAt(0))
}

function unescaped(markup: string): string {
  const characters: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" }
  return markup.replaceAll(/&(\w+|#39);/g, (_, name: string) => characters[name] ?? '?')
}

/** `--ink: #18202b` by name. */
function paletteOf(text: string): ReadonlyMap<string, string> {
  return new Map(
    [...text.matchAll(/--([\w-]+): #(\w{6})/g)].map(([, name = '', value = '']) => [name, value]),
  )
}

/** WCAG 2.1, relative luminance. */
function contrast(palette: ReadonlyMap<string, string>, ink: string, ground: string): number {
  const luminanceOf = (name: string) => {
    const value = Number.parseInt(palette.get(name) ?? 'nothing', 16)
    const [red = 0, green = 0, blue = 0] = [value >> 16, (value >> 8) & 255, value & 255].map((part) => {
      const share = part / 255
      return share <= 0.040_45 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
    })
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
  }
  const [low = 0, high = 0] = [luminanceOf(ink), luminanceOf(ground)].sort((a, b) => a - b)
  return (high + 0.05) / (low + 0.05)
}
