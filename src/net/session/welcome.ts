import type { Choice, WelcomePolicy } from '../../engine/options.ts'
import { parseNetwork } from '../../ftp/addresses.ts'
import type { DestinationList } from '../../routing/destinations.ts'
import { type NamedHost, parseLogin, parseNamedHost } from '../../routing/login-name.ts'
import type { Routes, Routing } from '../../routing/routes.ts'

/** What a session of this client needs to be routed. `client` is a canonical address. */
export function welcomeBy(routes: Routes, client: string): WelcomePolicy {
  const choose = routes.of(client)
  return {
    open: null,
    usesHost: routes.usesHost,
    notation: routes.notation,
    choose: (words) => choiceOf(choose(words)),
  }
}

/** What a session of this client needs that names its server itself. */
export function welcomeByLogin(
  {
    clients,
    list,
    notation,
  }: { readonly clients: readonly string[]; readonly list: DestinationList; readonly notation: string },
  client: string,
): WelcomePolicy {
  const isAllowed = clients.some((network) => parseNetwork(network)?.matches(client) ?? true)
  const to = (named: NamedHost | null, user?: string): Choice => {
    if (named === null) return refused('530 Log in as USER name@host, or say OPEN host before.')
    const { host, port } = named
    if (!list.admits(named)) return refused('530 That server is not allowed from here.')
    return { type: 'connect', to: { host, port }, ...(user === undefined ? {} : { user }) }
  }
  return {
    usesHost: false,
    notation,
    choose({ user }) {
      if (!isAllowed) return refused('530 You are not allowed here.')
      if (user === undefined) return { type: 'undecided' }
      const login = parseLogin(user)
      return to(login, login?.user)
    },
    open: (argument) => to(parseNamedHost(argument)),
  }
}

function refused(text: string): Choice {
  return { type: 'refused', reason: 'destination', text }
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
