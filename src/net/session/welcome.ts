import type { Choice, WelcomePolicy } from '../../engine/options.ts'
import type { Routes, Routing } from '../../routing/routes.ts'

/** What a session of this client needs to be routed. `client` is a canonical address. */
export function welcomeBy(routes: Routes, client: string): WelcomePolicy {
  return {
    usesHost: routes.usesHost,
    notation: `routes ${routes.notation}`,
    choose: (words) => choiceOf(routes.choose(client, words)),
  }
}

function choiceOf(routing: Routing): Choice {
  switch (routing.type) {
    case 'route':
      return { type: 'connect', to: { route: routing.name } }
    case 'undecided':
      return routing
    case 'none':
      return { type: 'refused', reason: 'no_route', text: '530 There is no server for you here.' }
  }
}
