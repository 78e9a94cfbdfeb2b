// Keys that listeners and pools have in common: how servers are asked for data connections.

import { choiceField, listField } from './field.ts'

export function upstreamModeField(description: string) {
  return choiceField(['client', 'passive', 'active'], description)
}

export function upstreamVerbsField(description: string) {
  return listField(choiceField(['PASV', 'EPSV', 'PORT', 'EPRT'], 'A verb.'), {
    description,
    kind: 'list',
    allowed: 'a list of PASV, EPSV, PORT and EPRT',
  })
}
