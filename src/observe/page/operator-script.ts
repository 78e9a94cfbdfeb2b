/**
 * What an operator's buttons do. The token is kept for this tab only, and sent with what changes something and nothing
 * else; without a script there are no buttons.
 */
export const operatorScript = `
const operator = document.getElementById('operator')

function tokenKept() {
  return sessionStorage.getItem('ftp-alg-token')
}

async function operate(method, path, token = tokenKept()) {
  try {
    const answer = await fetch(path, { method, headers: { Authorization: 'Bearer ' + token } })
    const said = (await answer.text()).trim()
    return { isDone: answer.ok, said, isStranger: answer.status === 401 }
  } catch {
    return { isDone: false, said: 'the proxy does not answer', isStranger: false }
  }
}

function say(text) {
  document.getElementById('said').textContent = text
}

function show(isOperating) {
  document.body.classList.toggle('operating', isOperating)
}

async function unlock() {
  const field = document.getElementById('token')
  const { isDone, said } = await operate('GET', 'api/v1/operator', field.value)
  if (isDone) sessionStorage.setItem('ftp-alg-token', field.value)
  if (isDone) field.value = ''
  show(isDone)
  say(isDone ? '' : said)
}

function lock() {
  sessionStorage.removeItem('ftp-alg-token')
  show(false)
  say('')
}

const acts = {
  end: (id) => ['api/v1/sessions/' + encodeURIComponent(id) + '/end', 'Session ' + id + ' ended.'],
  drain: (name) => ['api/v1/drain' + only(name), 'New clients get 421 now.'],
  resume: (name) => ['api/v1/resume' + only(name), 'New clients are taken again.'],
}

function only(name) {
  return name === undefined ? '' : '?listener=' + encodeURIComponent(name)
}

async function act(button) {
  const { act, of } = button.dataset
  if (act === 'end' && !confirm(button.title + '?')) return
  const [path, done] = acts[act](of)
  const { isDone, said, isStranger } = await operate('POST', path)
  if (isStranger) lock()
  say(isDone ? done : said)
  hurry()
}

if (operator !== null) {
  operator.hidden = false
  show(tokenKept() !== null)
  document.getElementById('unlock').addEventListener('click', unlock)
  document.getElementById('lock').addEventListener('click', lock)
  document.getElementById('token').addEventListener('keydown', ({ key }) => key === 'Enter' && unlock())
  document.addEventListener('click', ({ target }) => {
    const button = target.closest('button[data-act]')
    if (button !== null) act(button)
  })
}
`
