// The look of the status page. Served apart, because the content security policy allows nothing inline. Colours follow
// the reader's preference; text has a contrast of at least 4.5 : 1 on its ground in both.

const lightColours = `
  --ground: #f4f5f7; --card: #ffffff; --line: #dfe3e8; --ink: #18202b; --soft: #566172; --faint: #626c7a;
  --accent: #2563c9; --good: #18794e; --warn: #8a5a00; --bad: #c0271d;
  --track: #e6e9ee; --fill: #4a83d9; --rest: #b9c6da; --warn-fill: #d29a22; --bad-fill: #d6453a;
  --warn-ground: #fdf4df; --bad-ground: #fdeceb; --hover: #f6f8fb;`

const darkColours = `
  --ground: #0e1319; --card: #161c24; --line: #27303b; --ink: #dde4ec; --soft: #9aa6b4; --faint: #8491a0;
  --accent: #7fb0ff; --good: #4fc38a; --warn: #e3b44c; --bad: #ff8a80;
  --track: #252e39; --fill: #4f86d6; --rest: #4a5a6e; --warn-fill: #c9962f; --bad-fill: #dd5a50;
  --warn-ground: #2a2312; --bad-ground: #321a1a; --hover: #1a212a;`

export const pageStyle = `:root { color-scheme: light dark;${lightColours}
  font: 14px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Liberation Sans", sans-serif }
@media (prefers-color-scheme: dark) { :root {${darkColours} } }

* { box-sizing: border-box }
body { margin: 0 auto; padding: 1.5rem 1.5rem 3rem; max-width: 92rem; background: var(--ground); color: var(--ink) }
h1, h2, p, dl, dd, ul { margin: 0; padding: 0 }
small { font-size: .85em }
code { font: .9em ui-monospace, "SF Mono", "Cascadia Mono", "DejaVu Sans Mono", monospace }
a { color: var(--accent) }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 4px }
.faint, .about, .count, caption { color: var(--faint) }
.good { color: var(--good) }
.warn { color: var(--warn) }
.bad { color: var(--bad) }

header { display: flex; flex-wrap: wrap; align-items: baseline; gap: .25rem 1rem; margin-bottom: 1.25rem }
h1 { font-size: 1.4rem; font-weight: 650; letter-spacing: -.01em }
.version { font-weight: 400; color: var(--faint); font-size: .8em }
.host, .uptime, .as-of { color: var(--soft) }
.as-of { margin-left: auto; font-variant-numeric: tabular-nums }
.state { font-weight: 600; border: 1px solid currentColor; border-radius: 99px; padding: 0 .7em; font-size: .9em }

#operator { display: flex; flex-wrap: wrap; align-items: baseline; gap: .25rem 1rem; margin-bottom: 1rem; color: var(--soft) }
#operator[hidden], .operating .locked, body:not(.operating) .unlocked { display: none }
body:not(.operating) .act { display: none }
button, input { font: inherit; color: inherit; background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: .1rem .6rem }
button:hover { background: var(--hover); cursor: pointer }
td.act { text-align: right }
.filter { padding: .25rem 1.25rem .5rem; color: var(--soft) }
.filter input { width: min(22rem, 60vw) }
thead a { color: inherit; text-decoration: none }
thead a:hover { text-decoration: underline }
th[aria-sort=descending] a::after { content: " ↓" }
th[aria-sort=ascending] a::after { content: " ↑" }
#connection { margin-bottom: 1rem; padding: .6rem 1rem; border-radius: 8px; background: var(--warn-ground); color: var(--warn); font-weight: 600 }
#attention { margin-bottom: 1rem }
#attention ul { list-style: none; display: grid; gap: .5rem }
#attention li { padding: .6rem 1rem; border-radius: 8px; border-left: 4px solid currentColor; font-weight: 600 }
#attention .bad { background: var(--bad-ground) }
#attention .warn { background: var(--warn-ground) }
.calm { color: var(--soft) }
.calm::before { content: "✓ "; color: var(--good); font-weight: 700 }

#figures dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(12.5rem, 1fr)); gap: .75rem }
#figures dl > div, .card { background: var(--card); border: 1px solid var(--line); border-radius: 10px }
#figures dl > div { padding: .8rem 1rem .9rem; display: flex; flex-direction: column }
#figures dt { color: var(--soft); font-size: .9rem }
#figures dd { display: flex; flex-direction: column; flex: 1 }
#figures strong { font-size: 1.75rem; font-weight: 600; line-height: 1.3; font-variant-numeric: tabular-nums; white-space: nowrap }
#figures strong small { font-size: .55em; font-weight: 400; color: var(--soft) }
#figures .bar { width: 100%; margin: auto 0 .2rem; }
.about { font-size: .9rem; font-variant-numeric: tabular-nums; padding-bottom: .4rem }
.about span { white-space: nowrap }

.card { margin-top: 1rem; padding: 1rem 0 .5rem }
.card h2 { padding: 0 1.25rem; font-size: 1.05rem; font-weight: 650 }
.count { font-weight: 400; margin-left: .25rem; font-variant-numeric: tabular-nums }
.empty, .more { padding: .25rem 1.25rem .75rem; color: var(--soft) }
.more { padding-top: .5rem }
.scroll { overflow-x: auto }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; white-space: nowrap }
caption { text-align: left; padding: 0 1.25rem .5rem; font-size: .9rem; white-space: normal }
caption span { display: inline-block; position: sticky; left: 1.25rem; max-width: calc(100vw - 5rem) }
th, td { text-align: left; padding: .4rem .65rem; font-weight: 400; border-top: 1px solid var(--line) }
th:first-child, td:first-child { padding-left: 1.25rem }
th:last-child, td:last-child { padding-right: 1.25rem }
thead th { color: var(--soft); font-size: .85rem; border-top: 0; padding-bottom: .25rem }
tbody tr:hover { background: var(--hover) }
.figure { text-align: right }
.text { white-space: normal; min-width: 9rem; max-width: 26rem; overflow-wrap: anywhere }

.dot::before { content: ""; display: inline-block; width: .55em; height: .55em; border-radius: 50%; margin-right: .5em;
  vertical-align: .08em; background: var(--rest); border: 1px solid transparent }
.dot.good::before { background: var(--good) }
.dot.bad::before { background: var(--bad) }
.dot { color: inherit }
.dot.transfer::before { background: var(--fill) }
.dot.waiting::before { background: var(--warn-fill) }
.dot.login::before, .dot.connecting::before { background: none; border-color: var(--faint) }
.dot.passthrough::before { background: none; border-color: var(--fill) }
.dot.idle::before { background: var(--rest); border-color: var(--faint) }

.bar { display: block; height: 6px; width: 100%; min-width: 4.5rem; border-radius: 3px; background: var(--track) }
.bar .used { fill: var(--fill) }
.bar .resting { fill: var(--rest) }
.bar.high .used { fill: var(--warn-fill) }
.bar.full .used { fill: var(--bad-fill) }
.gauge { display: inline-flex; align-items: center; gap: .6rem }
.gauge .bar { width: 4.5rem }

footer { margin-top: 1.5rem; color: var(--soft); font-size: .88rem }
footer dl { display: flex; flex-wrap: wrap; gap: .25rem 2rem; margin-bottom: .75rem }
footer dl > div { display: flex; gap: .5rem }
footer dt { color: var(--faint) }
footer a { margin-right: 1rem }

@media (max-width: 40rem) {
  body { padding: 1rem .75rem 2rem }
  .as-of { margin-left: 0; width: 100% }
  #figures dl { grid-template-columns: repeat(2, 1fr) }
}
`

/** A hole in a wall: what the program is about, in a browser's tab. */
export const pageIcon = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" rx="3.5" fill="#2563c9"/><path d="M8 2v3.6M8 10.4V14" stroke="#fff" stroke-width="2.4"/><path d="M2 8h9M8.6 5.2 11.6 8l-3 2.8" stroke="#fff" stroke-width="1.6" fill="none"/></svg>
`
