/**
 * JSON without what two readers may read differently: no object repeats a member (RFC 8259, section 4), no number loses digits, and nothing
 * is nested deeply.
 */

/** Policies need 6, a line of `simulate` one more. */
const maximumDepth = 16

/** A number as it is written, if JavaScript would write it in another way. */
export class WrittenNumber {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }

  /** For JSON.stringify, which writes the number as it was. */
  toJSON(): unknown {
    return rawJson(this.text)
  }
}

/** Throws SyntaxError. Numbers that JavaScript would write in another way are returned as WrittenNumber. */
export function parseStrictJson(text: string): unknown {
  const hasOtherNumbers = checkTokens(text)
  // Most policies have none, and JSON.parse takes several times as long with a function.
  if (!hasOtherNumbers) return JSON.parse(text)
  return parse(text, (_name, value, { source }) =>
    typeof value === 'number' && String(value) !== source ? new WrittenNumber(source) : value,
  )
}

/** TypeScript does not know these yet: ECMA-262, "JSON.parse source text access". */
const { rawJSON: rawJson } = JSON as unknown as { rawJSON(text: string): unknown }
const parse = JSON.parse as (
  text: string,
  reviver: (name: string, value: unknown, context: { readonly source: string }) => unknown,
) => unknown

/** Whether there are numbers that JavaScript would write in another way. In text that is no JSON it may find nothing wrong: that is left to JSON.parse. */
function checkTokens(text: string): boolean {
  let hasOtherNumbers = false
  /** Names in the objects around, outermost first; undefined for an array. */
  const around: (Set<string> | undefined)[] = []
  for (let position = 0; position < text.length; position++) {
    const character = text[position]!
    if (character === '"') {
      const end = endOfString(text, position)
      if (isColonNext(text, end)) checkMember(text.slice(position, end), around.at(-1))
      position = end - 1
    } else if (character === '{' || character === '[') {
      if (around.push(character === '{' ? new Set() : undefined) > maximumDepth) {
        throw new SyntaxError(`nested deeper than ${maximumDepth}`)
      }
    } else if (character === '}' || character === ']') around.pop()
    else if (character === '-' || (character >= '0' && character <= '9')) {
      const written = numberAt(text, position)
      hasOtherNumbers ||= String(Number(written)) !== written
      position += written.length - 1
    }
  }
  return hasOtherNumbers
}

const numberCharacters = /[-+.\deE]+/y

function numberAt(text: string, position: number): string {
  numberCharacters.lastIndex = position
  return numberCharacters.exec(text)![0]
}

/** @returns the position behind the quotation mark that ends it */
function endOfString(text: string, start: number): number {
  for (let position = start + 1; position < text.length; position++) {
    const character = text[position]
    if (character === '"') return position + 1
    if (character === '\\') position++
  }
  return text.length
}

function isColonNext(text: string, start: number): boolean {
  let position = start
  while (whiteSpace.includes(text[position]!)) position++
  return text[position] === ':'
}

const whiteSpace = [' ', '\t', '\n', '\r']

function checkMember(written: string, names: Set<string> | undefined): void {
  const name = written.includes('\\') ? (JSON.parse(written) as string) : written.slice(1, -1)
  if (names?.has(name)) throw new SyntaxError(`repeats the member ${name.slice(0, 100)}`)
  names?.add(name)
}
