// The kinds of fields that the configuration is made of, each a zod type whose error message is complete:
// what is wrong, what was given, what is allowed. `schema.ts` composes them.

import { z } from 'zod'
import { accept, allOf, complaint, nearestWord, oneOf, refuse, type TextForm } from './complaint.ts'

/** Beside JSON Schema's own keywords: the columns of docs/configuration.md. */
export interface FieldNotes {
  readonly description: string
  /** The kind of value: `duration`. */
  readonly kind: string
  readonly allowed: string
}

/** Text in one of our forms; the parsed value comes out, already canonical. */
export function textField<T>(form: TextForm<T>, description: string) {
  return z
    .string({
      error: ({ input }) => complaint(wrongText(form, input), { given: input, allowed: form.allowed }),
    })
    .meta({ ...notes({ description, kind: form.name, allowed: form.allowed }), pattern: form.pattern })
    .transform((text, context): T => {
      const parsed = form.parse(text)
      if (parsed.ok) return parsed.value
      const given = form.show?.(text) ?? text
      const message = complaint(parsed.reason, { given, allowed: form.allowed })
      context.issues.push({ code: 'custom', message, input: text })
      return z.NEVER
    })
}

/** Text that stays as it is and must match a pattern, which begins with ^ and ends with $. */
export function wordForm(about: Omit<TextForm<string>, 'parse'>): TextForm<string> {
  const pattern = new RegExp(about.pattern)
  return {
    ...about,
    parse: (text) => (pattern.test(text) ? accept(text) : refuse(`is not the name of a ${about.name}`)),
  }
}

/** A whole number from `min` to `max`, written as a number, not as text. */
export function integerField(limits: { readonly min: number; readonly max: number }, description: string) {
  const allowed = `${limits.min} to ${limits.max}`
  const error = ({ input }: { readonly input?: unknown }) =>
    complaint(wrongNumber(limits, input), { given: input, allowed })
  return z
    .int({ error })
    .min(limits.min, { error })
    .max(limits.max, { error })
    .meta(notes({ description, kind: 'whole number', allowed }))
}

export function flagField(description: string) {
  const allowed = 'true or false'
  return z
    .boolean({ error: ({ input }) => complaint('is neither true nor false', { given: input, allowed }) })
    .meta(notes({ description, kind: allowed, allowed }))
}

export function choiceField<const T extends readonly [string, ...string[]]>(words: T, description: string) {
  return z
    .enum(words, { error: ({ input }) => wrongChoice(words, input) })
    .meta(notes({ description, kind: 'choice', allowed: oneOf(words) }))
}

/** A map with these keys and no others. Unknown keys are worded by `mistakes.ts`, one mistake each. */
export function section<T extends z.core.$ZodLooseShape>(shape: T, description: string) {
  const allowed = `a map of ${allOf(Object.keys(shape))}`
  return z
    .strictObject(shape, {
      error: ({ input }) =>
        input === null
          ? complaint('is empty: leave the key out to get the defaults', { given: input, allowed })
          : complaint(input === undefined ? 'is required' : 'must be a map', { given: input, allowed }),
    })
    .meta(notes({ description, kind: 'map', allowed }))
}

/** One of several shapes; `allowed` describes all of them. The shape that fits best words the mistake. */
export function choiceOfShapes<const T extends readonly [z.ZodType, ...z.ZodType[]]>(
  shapes: T,
  about: FieldNotes,
) {
  return z
    .union(shapes, {
      error: ({ input }) =>
        complaint(wrongShape(input), {
          given: input,
          allowed: about.allowed,
        }),
    })
    .meta(notes(about))
}

export function listField<T extends z.ZodType>(item: T, about: FieldNotes) {
  return z
    .array(item, {
      error: ({ input }) =>
        complaint(input === undefined ? 'is required' : 'must be a list', {
          given: input,
          allowed: about.allowed,
        }),
    })
    .meta(notes(about))
}

/** Marks a key whose change waits for a restart. */
export function untilRestart<T extends z.ZodType>(field: T): T {
  return field.meta({ restart: true })
}

/** zod wants an index signature where `FieldNotes` has none. */
function notes(about: FieldNotes): Record<string, string> {
  return { ...about }
}

function wrongText(form: TextForm<unknown>, input: unknown): string {
  if (input === undefined) return 'is required'
  if (input === null) return 'is empty'
  if (typeof input === 'object') return `must be a ${form.name}`
  // `timeout: 60` is a number to YAML; what is wrong with it is what would be wrong with the text "60".
  const parsed = form.parse(String(input))
  return parsed.ok ? 'must be text: put it in quotes' : parsed.reason
}

function wrongNumber(limits: { readonly min: number; readonly max: number }, input: unknown): string {
  if (input === undefined) return 'is required'
  if (input === null) return 'is empty'
  if (typeof input !== 'number' || !Number.isInteger(input)) return 'must be a whole number'
  return input < limits.min ? 'is too small' : 'is too large'
}

function wrongChoice(words: readonly string[], input: unknown): string {
  const allowed = oneOf(words)
  if (input === undefined) return complaint('is required', { given: input, allowed })
  if (input === null) return complaint('is empty', { given: input, allowed })
  const meant = nearestWord(String(input), words)
  const reason = meant === null ? 'is not a known value' : `is not a known value; did you mean ${meant}?`
  return complaint(reason, { given: input, allowed })
}

function wrongShape(input: unknown): string {
  if (input === undefined) return 'is required'
  return input === null ? 'is empty' : 'is not an allowed value'
}
