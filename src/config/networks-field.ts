import { networkForm } from './address.ts'
import { listField, textField } from './field.ts'

/** A list of networks, empty by default. */
export const networks = (description: string) =>
  listField(textField(networkForm, 'A network.'), {
    description,
    kind: 'list',
    allowed: 'a list of networks such as [10.2.0.0/16]',
  }).prefault([])
