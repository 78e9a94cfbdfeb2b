/** The style sheet of the status page; served apart because the content security policy allows nothing inline. */
export const pageStyle = `:root { color-scheme: light dark; font: 14px/1.4 system-ui, sans-serif }
body { margin: 1.5rem; max-width: 100rem }
h1 small, h2 small { font-weight: normal; opacity: .6 }
.scroll { overflow-x: auto }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { text-align: left; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid #8884; white-space: nowrap }
.good { color: #188038 }
.bad { color: #d93025; font-weight: bold }
`
