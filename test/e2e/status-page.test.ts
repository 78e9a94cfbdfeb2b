import { copyFileSync, mkdirSync, statSync, writeFileSync } from 'node:fs'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { test } from '../integration/admin-proxy.ts'
import { browserMissing, launchBrowser } from './status-page/browser.ts'
import { startScene } from './status-page/scene.ts'

const missing = await browserMissing()
const pictures = new URL('../../.cache/status-page/', import.meta.url).pathname

let browser: Browser

describe.skipIf(missing !== null)('the status page in Chromium', () => {
  beforeAll(async () => {
    mkdirSync(pictures, { recursive: true })
    browser = await launchBrowser()
  })
  afterAll(() => browser.close())

  test('shows real sessions and follows them, without an error and without a violation', async ({ lab }) => {
    const file = `${lab.folder}/transfers.log`
    const { admin, login, leave, idle, proxy } = await startScene(
      lab,
      `log: { transfers: { file: '${file}' } }\n`,
    )
    const { page, problems } = await openPage(`http://127.0.0.1:${admin.port}/`)
    await expectText(page, '#header', 'Ready')
    await expectText(page, '#attention', 'Nothing needs attention.')
    for (const user of ['camera-07', 'backup', 'anna', 'erp-export', 'anonymous']) {
      await expectText(page, '#sessions', user)
    }
    await expectText(page, '#pinholes', '127.0.0.44')
    await expectText(page, '#refusals', 'PORT or EPRT named another host')
    await expectText(page, '#refusals', 'stranger at a data port')
    await expectText(page, '#footer', `${file} (json)`)

    // Somebody comes and goes, seen without reloading.
    await page.evaluate('window.sameDocument = true')
    const newcomer = await login('newcomer')
    await expectText(page, '#sessions', 'newcomer')
    await leave(newcomer)
    await expectText(page, '#sessions', /^(?!.*newcomer)/s)
    await expectText(page, '#figures', /Throughput [1-9][\d.]* [kM]B\/s/)
    const before = await bytesOf(page, 'backup')
    await expect.poll(() => bytesOf(page, 'backup'), { timeout: 10_000 }).not.toBe(before)
    expect(await page.evaluate('window.sameDocument')).toBe(true)

    await leave(idle)
    await expectText(page, '#sessions', /^(?!.*anna)/s)
    expect(problems()).toEqual([])
    expect(await violationsIn(page)).toEqual([])
    expect(proxy.records().filter(({ level }) => level === 'error')).toEqual([])
    await page.context().close()
  })

  test('rows stay the same elements, so that a selection and the place in a table survive', async ({
    lab,
  }) => {
    const { admin, login } = await startScene(lab)
    const { page } = await openPage(`http://127.0.0.1:${admin.port}/`, {
      viewport: { width: 500, height: 800 },
    })
    await expectText(page, '#sessions', 'erp-export')
    await page.evaluate(`
      window.row = [...document.querySelectorAll('#sessions tbody tr')].find((row) => row.textContent.includes('erp-export'))
      getSelection().selectAllChildren(row.querySelector('code'))
      row.closest('.scroll').scrollLeft = 120
    `)
    // A row appears behind it and ages change in it.
    await login('newcomer')
    await expectText(page, '#sessions', 'newcomer')
    const kept = await page.evaluate(`({
      isKept: row.isConnected,
      selection: getSelection().toString(),
      scrolled: row.closest('.scroll').scrollLeft,
    })`)
    expect(kept).toEqual({
      isKept: true,
      selection: expect.stringMatching(/^127\.0\.0\.44:\d+$/),
      scrolled: 120,
    })
    await page.context().close()
  })

  test('works without scripts, and refreshes itself', async ({ lab }) => {
    const { admin, login } = await startScene(lab)
    const { page, problems } = await openPage(`http://127.0.0.1:${admin.port}/`, { javaScriptEnabled: false })
    await expectText(page, '#sessions', 'camera-07')
    await login('newcomer')
    await expectText(page, '#sessions', 'newcomer')
    expect(problems()).toEqual([])
    await page.context().close()
  })

  test('says so when updates stop, and goes on when they come again', async ({ lab }) => {
    const { admin, login } = await startScene(lab)
    const { page } = await openPage(`http://127.0.0.1:${admin.port}/`)
    await expectText(page, '#sessions', 'backup')
    expect(await page.locator('#connection').isVisible()).toBe(false)
    await page.context().setOffline(true)
    await expectText(
      page,
      '#connection',
      /^No updates: what you see is as of \d\d:\d\d:\d\d UTC\. Trying again …$/,
    )
    expect(await page.locator('#connection').isVisible()).toBe(true)
    await page.context().setOffline(false)
    await login('newcomer')
    await expectText(page, '#sessions', 'newcomer')
    expect(await page.locator('#connection').isVisible()).toBe(false)
    await page.context().close()
  })

  test('is fetched again only while it can be seen', async ({ lab }) => {
    const { admin } = await startScene(lab)
    const { page } = await openPage(`http://127.0.0.1:${admin.port}/`, {}, (opened) => opened.clock.install())
    await expectText(page, '#sessions', 'backup')
    const refreshed = page.waitForRequest(/\/$/)
    await page.clock.runFor(60_000)
    await (await refreshed).response()
    await setHidden(page, true)
    let requests = 0
    page.on('request', () => {
      requests += 1
    })
    await page.clock.runFor(60_000)
    expect(requests).toBe(0)
    const again = page.waitForEvent('request')
    await setHidden(page, false)
    await again
    await page.context().close()
  })

  test('lets whoever has the token end a session and drain a listener, and nobody else', async ({ lab }) => {
    const token = `${lab.folder}/admin.token`
    writeFileSync(token, 'a-token-of-this-test')
    const { admin, idle, proxy } = await startScene(lab, `admin: { token: '${token}' }\n`)
    const { page, problems } = await openPage(`http://127.0.0.1:${admin.port}/`)
    page.on('dialog', (dialog) => void dialog.accept())
    await expectText(page, '#sessions', 'anna')
    const end = page.locator('#sessions tr', { hasText: 'anna' }).getByRole('button', { name: 'End' })
    expect(await end.isVisible()).toBe(false)
    await page.fill('#token', 'not-the-token-of-this-test')
    await page.click('#unlock')
    await expectText(page, '#operator', 'this is not the token')
    expect(await end.isVisible()).toBe(false)
    await page.fill('#token', 'a-token-of-this-test')
    await page.click('#unlock')
    await end.click()
    expect(await idle.wire.readRest()).toBe('421 The operator has ended this session.\r\n')
    await expectText(page, '#sessions', /^(?!.*anna)/s)
    await page.locator('#listeners').getByRole('button', { name: 'Drain' }).click()
    await expectText(page, '#attention', 'An operator drains listener edge')
    await page.reload()
    await page.locator('#listeners').getByRole('button', { name: 'Resume' }).click()
    await expectText(page, '#attention', 'Nothing needs attention.')
    await page.click('#lock')
    await expect.poll(() => page.locator('[data-act=end]').first().isVisible()).toBe(false)
    expect(problems()).toEqual([
      `401 http://127.0.0.1:${admin.port}/api/v1/operator`,
      expect.stringContaining('401'),
    ])
    expect(await violationsIn(page)).toEqual([])
    expect(proxy.records().filter(({ event }) => event === 'admin.act')).toHaveLength(3)
    await page.context().close()
  })

  test('finds and orders sessions while one types, and keeps both in its address', async ({ lab }) => {
    const { admin, login } = await startScene(lab)
    for (let n = 0; n < 12; n += 1) await login(`robot-${n}`)
    const { page, problems } = await openPage(`http://127.0.0.1:${admin.port}/`)
    await expectText(page, '#sessions', 'robot-11')
    await page.fill('input[name=filter]', 'robot-1')
    await expectText(page, '#sessions', 'Sessions 3 of')
    await expectText(page, '#sessions', /^(?!.*backup)/s)
    await page.getByRole('link', { name: 'User' }).click()
    await page.getByRole('link', { name: 'User' }).click()
    const users = () => page.locator('#sessions td.text').allInnerTexts()
    await expect.poll(users).toEqual(['robot-11', 'robot-10', 'robot-1'])
    expect(new URL(page.url()).search).toBe('?filter=robot-1&sort=-user')
    await page.reload()
    await expect.poll(users).toEqual(['robot-11', 'robot-10', 'robot-1'])
    await page.fill('input[name=filter]', '')
    await expectText(page, '#sessions', 'backup')
    expect(problems()).toEqual([])
    expect(await violationsIn(page)).toEqual([])
    await page.context().close()
  })

  for (const colorScheme of ['light', 'dark'] as const) {
    for (const width of [1360, 400]) {
      test(`is a picture worth looking at: ${colorScheme}, ${width} pixels wide`, async ({ lab }) => {
        const { admin } = await startScene(lab)
        const { page } = await openPage(`http://127.0.0.1:${admin.port}/`, {
          colorScheme,
          viewport: { width, height: 900 },
        })
        await expectText(page, '#figures', /Throughput [1-9][\d.]* [kM]B\/s/)
        const ground = String(await page.evaluate('getComputedStyle(document.body).backgroundColor'))
        const ink = String(await page.evaluate('getComputedStyle(document.body).color'))
        const overflow = await page.evaluate(
          'document.documentElement.scrollWidth - document.documentElement.clientWidth',
        )
        const [darker, lighter] = colorScheme === 'dark' ? [ground, ink] : [ink, ground]
        expect(brightnessOf(darker)).toBeLessThan(60)
        expect(brightnessOf(lighter)).toBeGreaterThan(200)
        // Tables scroll by themselves; the page never sideways.
        expect(overflow).toBe(0)
        const path = `${pictures}${colorScheme}-${width}.png`
        await page.screenshot({ path, fullPage: true })
        expect(statSync(path).size).toBeGreaterThan(20_000)
        if (process.env.PICTURES === '1' && colorScheme === 'light' && width === 1360)
          copyFileSync(path, new URL('../../docs/status-page.png', import.meta.url))
        await page.context().close()
      })
    }
  }
})

/** A page, and what its console said; violations of the security policy are collected in the page. */
async function openPage(
  url: string,
  options: BrowserContextOptions = {},
  prepare: (page: Page) => Promise<void> = async () => {},
) {
  const context = await browser.newContext({ viewport: { width: 1360, height: 900 }, ...options })
  const page = await context.newPage()
  const problems: string[] = []
  page.on('console', (message) => problems.push(`${message.type()}: ${message.text()}`))
  page.on('pageerror', (error) => problems.push(String(error)))
  page.on('response', (response) => {
    if (response.status() >= 400) problems.push(`${response.status()} ${response.url()}`)
  })
  await page.addInitScript({
    content: `window.violations = []
document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) => {
  violations.push(violatedDirective + ' ' + blockedURI)
})`,
  })
  await prepare(page)
  await page.goto(url)
  return { page, problems: () => problems }
}

function violationsIn(page: Page): Promise<unknown> {
  return page.evaluate('violations')
}

/** As if another tab came to the front, or this one again. */
async function setHidden(page: Page, isHidden: boolean): Promise<void> {
  await page.evaluate(`Object.defineProperty(document, 'hidden', { value: ${isHidden}, configurable: true })
document.dispatchEvent(new Event('visibilitychange'))`)
}

/** Waits until a part of the page says so; white space counts as one space. */
async function expectText(page: Page, part: string, text: string | RegExp): Promise<void> {
  const shown = async () => (await page.locator(part).allInnerTexts()).join().replaceAll(/\s+/g, ' ').trim()
  const wanted = typeof text === 'string' ? expect.stringContaining(text) : expect.stringMatching(text)
  await expect.poll(shown, { timeout: 20_000 }).toEqual(wanted)
}

function bytesOf(page: Page, user: string): Promise<string | null> {
  return page.locator('#sessions tr', { hasText: user }).locator('td').nth(4).textContent()
}

/** `'rgb(14, 19, 25)'` gives 19.3: the mean of its three parts, 0 to 255. */
function brightnessOf(colour: string): number {
  const parts = [...colour.matchAll(/\d+/g)].slice(0, 3).map(([part]) => Number(part))
  return parts.reduce((total, part) => total + part, 0) / 3
}
