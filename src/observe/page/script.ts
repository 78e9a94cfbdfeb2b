/**
 * The script of the status page; served apart, because the content security policy allows nothing inline. Plain
 * JavaScript for browsers since 2020.
 *
 * It fetches the page again every two seconds while it can be seen and merges it into the document: elements stay, so
 * that a selection, the focus and the scroll position survive. When updates stop, it says since when.
 */
export const pageScript = `'use strict'

const connection = document.getElementById('connection')
const version = document.documentElement.dataset.version
const REFRESH_MS = 2000
/** Without an answer for this long, the page is out of date and the request is given up. */
const STALE_AFTER_MS = 4000

/** The request that is under way or the last one; null while the page is hidden. */
let request = null
let next = 0
let stale = 0

async function refresh() {
  const mine = new AbortController()
  request = mine
  const end = setTimeout(() => mine.abort(), STALE_AFTER_MS)
  const page = await load(mine.signal)
  clearTimeout(end)
  if (request !== mine) return
  if (page !== null) update(new DOMParser().parseFromString(page, 'text/html'))
  next = setTimeout(refresh, REFRESH_MS)
}

/** Null when it cannot be had. */
async function load(signal) {
  try {
    const answer = await fetch('./' + location.search, { signal })
    return answer.ok ? await answer.text() : null
  } catch {
    return null
  }
}

function update(fresh) {
  // Another version is running: its page may be another too.
  if (fresh.documentElement.dataset.version !== version) location.reload()
  for (const part of fresh.querySelectorAll('[id]')) {
    const old = document.getElementById(part.id)
    if (old !== null && part.dataset.own === undefined && part.parentElement.closest('[id]') === null) merge(old, part)
  }
  expectUpdate()
}

/** Says so when the next update does not come. */
function expectUpdate() {
  connection.hidden = true
  clearTimeout(stale)
  stale = setTimeout(() => {
    const shown = document.querySelector('#header time')
    connection.textContent = 'No updates: what you see is as of ' + shown.textContent + '. Trying again …'
    connection.hidden = false
  }, REFRESH_MS + STALE_AFTER_MS)
}

function resume() {
  if (request !== null || document.hidden) return
  expectUpdate()
  refresh()
}

function pause() {
  request?.abort()
  request = null
  clearTimeout(next)
  clearTimeout(stale)
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

/** Shows what the address asks for now, without waiting for the next update. */
function choose(query) {
  history.replaceState(null, '', query === '' ? location.pathname : query)
  hurry()
}

function hurry() {
  pause()
  resume()
}

document.addEventListener('click', (event) => {
  const link = event.target.closest('a[data-choice]')
  if (link === null || event.ctrlKey || event.metaKey || event.shiftKey) return
  event.preventDefault()
  choose(link.getAttribute('href'))
})

document.addEventListener('input', ({ target }) => {
  if (target.name !== 'filter') return
  const query = new URLSearchParams(location.search)
  query.delete('filter')
  if (target.value.trim() !== '') query.set('filter', target.value)
  choose(query.size === 0 ? '' : '?' + query)
})

document.addEventListener('submit', (event) => event.preventDefault())

document.addEventListener('visibilitychange', () => (document.hidden ? pause() : resume()))
resume()
`
