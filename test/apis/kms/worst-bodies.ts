/** The most expensive request bodies to decode, derived from the model, including new operations and shapes. */

import { model, shapeNamed } from '../../../src/apis/kms/model.ts'
import type { Shape } from '../../../src/apis/service-model/model.ts'

export interface WorstBody {
  readonly operation: string
  /** The path in the input, its shape, and the value put there. */
  readonly what: string
  readonly body: Buffer
}

/** One body for each place of an input, first use of each shape, and each thing that can be put there. @param size bytes */
export function* worstBodies(size: number): Generator<WorstBody> {
  const seen = new Set<string>()
  for (const [operation, { input }] of Object.entries(model.operations)) {
    for (const place of placesIn(input, ['', ''], seen)) {
      for (const [name, fill] of Object.entries(fills[shapeNamed(place.shape).type] ?? {})) {
        const [before, after] = place.around
        const body = Buffer.from(before + fill(size - before.length - after.length) + after)
        yield { operation, what: `${place.shape} of ${name}`, body }
      }
    }
  }
}

interface Place {
  readonly shape: string
  /** The JSON before and after it. */
  readonly around: readonly [string, string]
}

function* placesIn(name: string, around: Place['around'], seen: Set<string>): Generator<Place> {
  if (seen.has(name)) return
  seen.add(name)
  yield { shape: name, around }
  const [before, after] = around
  const shape = shapeNamed(name)
  for (const [part, start, end] of partsOf(shape)) yield* placesIn(part, [`${before}${start}`, `${end}${after}`], seen)
}

function partsOf(shape: Shape): readonly (readonly [shape: string, start: string, end: string])[] {
  switch (shape.type) {
    case 'structure':
      return Object.entries(shape.members).map(([member, reference]) => [reference.shape, `{"${member}":`, '}'])
    case 'list':
      return [[shape.member.shape, '[', ']']]
    case 'map':
      return [[shape.value.shape, '{"key":', '}']]
    default:
      return []
  }
}

type Fill = (size: number) => string

const list = (item: (index: number) => string) => (size: number) => joined('[', item, ']', size)
const map = (item: (index: number) => string) => (size: number) => joined('{', item, '}', size)
const text = (part: string) => (size: number) => `"${part.repeat(Math.max(0, size - 2) / Buffer.byteLength(part))}"`

function joined(start: string, item: (index: number) => string, end: string, size: number): string {
  const items: string[] = []
  let length = start.length + end.length
  for (let index = 0; ; index++) {
    const next = item(index)
    length += Buffer.byteLength(next) + 1
    if (length > size) return `${start}${items.join(',')}${end}`
    items.push(next)
  }
}

const short = (index: number) => index.toString(36)

/** What no shape is. */
const wrong: Record<string, Fill> = {
  'nested lists': size => '['.repeat(size / 2) + ']'.repeat(size / 2),
  'nested structures': size => `${'{"a":'.repeat(size / 7)}0${'}'.repeat(size / 7)}`,
  'lists never closed': size => '['.repeat(size),
  'one long number': size => '9'.repeat(size),
  'one long fraction': size => `0.${'1'.repeat(size - 2)}`,
  'structures of different members': list(index => `{"${short(index)}":0}`),
  'lone surrogates': text('\\ud800'),
}

const strings: Record<string, Fill> = {
  ...wrong,
  letters: text('a'),
  slashes: text('a/'),
  dashes: text('a-'),
  dots: text('a.'),
  colons: text('arn:aws:'),
  escapes: text('\\u0041'),
  quotes: text('\\"'),
  'wide characters': text('ü'),
  'surrogate pairs': text('\\ud83d\\ude00'),
  'control characters': text('\\u0001'),
}

const lists: Record<string, Fill> = {
  ...wrong,
  'empty structures': list(() => '{}'),
  'empty lists': list(() => '[]'),
  'empty strings': list(() => '""'),
  nulls: list(() => 'null'),
  numbers: list(() => '0'),
  'short strings': list(index => `"${short(index)}"`),
  'strings of 4 KB': list(index => `"${short(index).padEnd(4096, 'x')}"`),
}

const maps: Record<string, Fill> = {
  ...wrong,
  'short pairs': map(index => `"${short(index)}":""`),
  'pairs of wide characters': map(index => `"${String.fromCodePoint(0x1f600 + index)}":"ü"`),
  nulls: map(index => `"${short(index)}":null`),
  'numbers for keys': map(index => `"${index}":""`),
  'one key many times': map(() => '"a":""'),
  'one long key': size => `{${text('k')(size - 5)}:""}`,
  'one long value': size => `{"":${text('v')(size - 5)}}`,
  'structures for values': map(index => `"${short(index)}":{}`),
}

const fills: Readonly<Partial<Record<Shape['type'], Record<string, Fill>>>> = {
  structure: {
    ...wrong,
    'unknown members': map(index => `"${short(index)}":0`),
    'many of one': map(() => '"KeyId":"k"'),
  },
  list: lists,
  map: maps,
  string: strings,
  blob: {
    ...wrong,
    base64: text('AAAA'),
    'almost base64': size => text('A')(size - (size % 4) - 1),
    'escaped base64': text('\\u0041'),
  },
  integer: wrong,
  boolean: wrong,
  timestamp: wrong,
}
