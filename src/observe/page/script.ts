/**
 * The script of the status page; served apart, because the content security policy allows nothing inline. Plain
 * JavaScript for browsers since 2020.
 *
 * It listens to `/events` while the page can be seen and merges what arrives into the document: elements stay, so that
 * a selection, the focus and the scroll position survive. When updates stop, it says since when.
 */
export const pageScript = `'use strict'

const connection = document.getElementById('connection')
const version = document.documentElement.dataset.version
/** Updates come once a second, or with each retry. */
const STALE_AFTER_MS = 4000
const RETRY_MS = 5000

let source = null
let stale = 0
let retry = 0

function listen() {
  if (source !== null || document.hidden) return
  clearTimeout(retry)
  source = new EventSource('events')
  source.addEventListener('update', (event) => update(JSON.parse(event.data)))
  source.addEventListener('error', () => {
    // A closed source was refused and does not try again by itself.
    if (source.readyState !== EventSource.CLOSED) return
    pause()
    refresh().finally(() => {
      retry = setTimeout(listen, RETRY_MS)
    })
  })
  expectWithin(STALE_AFTER_MS)
}

function pause() {
  source?.close()
  source = null
  clearTimeout(stale)
}

function update(message) {
  // Another version is running: its page may be another too.
  if (message.version !== version) location.reload()
  for (const [id, markup] of Object.entries(message.sections)) {
    const old = document.getElementById(id)
    const parsed = new DOMParser().parseFromString(markup, 'text/html')
    if (old !== null) mergeChildren(old, parsed.body)
  }
  expectWithin(STALE_AFTER_MS)
}

/** Without a place among the listeners, the page is fetched as a whole now and then. */
async function refresh() {
  const answer = await fetch('./').catch(() => null)
  if (answer === null || !answer.ok) return
  const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html')
  for (const part of fresh.querySelectorAll('[id]')) {
    const old = document.getElementById(part.id)
    if (old !== null && part.id !== 'connection' && part.parentElement.closest('[id]') === null) merge(old, part)
  }
  expectWithin(RETRY_MS + STALE_AFTER_MS)
}

/** Says so when the next update does not come. */
function expectWithin(delayMs) {
  connection.hidden = true
  clearTimeout(stale)
  stale = setTimeout(() => {
    const shown = document.querySelector('#header time')
    connection.textContent = 'No updates: what you see is as of ' + shown.textContent + '. Trying again …'
    connection.hidden = false
  }, delayMs)
}

function merge(old, fresh) {
  if (old.isEqualNode(fresh)) return
  if (old.nodeName !== fresh.nodeName) {
    old.replaceWith(fresh)
    return
  }
  if (old.nodeType !== Node.ELEMENT_NODE) {
    old.nodeValue = fresh.nodeValue
    return
  }
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name)) old.removeAttribute(name)
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value)
  mergeChildren(old, fresh)
}

/** Rows are known by their key, everything else by its place. */
function mergeChildren(old, fresh) {
  const rows = rowsByKey(old)
  const freshRows = rowsByKey(fresh)
  for (const [key, row] of rows) if (!freshRows.has(key)) row.remove()
  let place = old.firstChild
  for (const child of [...fresh.childNodes]) {
    const key = child.dataset?.key
    const isFree = place !== null && place.dataset?.key === undefined
    const match = key !== undefined ? rows.get(key) : isFree ? place : undefined
    if (match === undefined) {
      old.insertBefore(child, place)
      continue
    }
    if (match === place) place = place.nextSibling
    else old.insertBefore(match, place)
    merge(match, child)
  }
  while (place !== null) {
    const next = place.nextSibling
    place.remove()
    place = next
  }
}

function rowsByKey(parent) {
  const rows = [...parent.children].filter((child) => child.dataset.key !== undefined)
  return new Map(rows.map((row) => [row.dataset.key, row]))
}

document.addEventListener('visibilitychange', () => (document.hidden ? pause() : listen()))
listen()
`
