// What a PromQL expression asks for, read from its syntax tree: a query for a metric that does not exist is no
// error to Prometheus, only empty, so names have to be compared.

import { parser } from '@prometheus-io/lezer-promql'

type Tree = ReturnType<typeof parser.parse>
type SyntaxNode = Tree['topNode']

/** `ftp_alg_transfers_total{result="reset"}` */
export interface Selector {
  readonly metric: string
  readonly matchers: readonly Matcher[]
}

export interface Matcher {
  readonly label: string
  readonly operator: string
  readonly value: string
}

export interface QueryNames {
  readonly selectors: readonly Selector[]
  /** Labels of `by (…)`, `without (…)`, `on (…)`, `ignoring (…)` and `group_left (…)`. */
  readonly groupLabels: readonly string[]
  /** Ranges such as `5m` or `$__rate_interval`, with the function around them: `rate 5m`. */
  readonly ranges: readonly string[]
}

/** Throws when the expression is no PromQL. `$__rate_interval` is read as a duration. */
export function readPromql(expression: string): QueryNames {
  // A variable of Grafana is no PromQL; this duration stands for it.
  const text = expression.replaceAll('$__rate_interval', '31m')
  const tree = parser.parse(text)
  const selectors: Selector[] = []
  const groupLabels: string[] = []
  const ranges: string[] = []
  tree.iterate({
    enter: ({ node, name, from, to }) => {
      if (node.type.isError) throw new Error(`no PromQL at ${from}: ${expression}`)
      if (name === 'VectorSelector') selectors.push(readSelector(node, text))
      if (name === 'GroupingLabels') groupLabels.push(...readLabels(node, text))
      if (name === 'MatrixSelector') {
        const range = /\[([^\]]*)\]$/.exec(text.slice(from, to))?.[1] ?? ''
        const around = node.parent?.parent?.getChild('FunctionIdentifier')
        const called = around === null || around === undefined ? '' : text.slice(around.from, around.to)
        ranges.push(`${called} ${range.replace('31m', '$__rate_interval')}`)
      }
    },
  })
  return { selectors, groupLabels, ranges }
}

function readSelector(node: SyntaxNode, text: string): Selector {
  const identifier = node.getChild('Identifier')
  const matchers = node.getChild('LabelMatchers')?.getChildren('UnquotedLabelMatcher') ?? []
  return {
    metric: identifier === null ? '' : text.slice(identifier.from, identifier.to),
    matchers: matchers.map((matcher) => {
      const [, label = '', operator = '', value = ''] =
        /^(\w+)\s*(=~|!~|!=|=)\s*"(.*)"$/.exec(text.slice(matcher.from, matcher.to)) ?? []
      return { label, operator, value }
    }),
  }
}

function readLabels(node: SyntaxNode, text: string): string[] {
  return node.getChildren('LabelName').map(({ from, to }) => text.slice(from, to))
}
