/**
 * JSON without what two readers may read differently: no object repeats a member (RFC 8259, section 4), no number loses digits, and nothing
 * is nested deeply.
 */

/** Policies need 6, a line of `simulate` one more. */
const maximumDepth = 16

/** A number, as it is written. */
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

/** Throws SyntaxError. Numbers are returned as WrittenNumber. */
export function parseStrictJson(text: string): unknown {
  const hasNumbers = checkTokens(text)
  // Most policies have none, and JSON.parse takes several times as long with a function.
  if (!hasNumbers) return JSON.parse(text)
  return parse(text, (_name, value, { source }) => (typeof value === 'number' ? new WrittenNumber(source) : value))
}

/** TypeScript does not know these yet: ECMA-262, "JSON.parse source text access". */
const { rawJSON: rawJson } = JSON as unknown as { rawJSON(text: string): unknown }
const parse = JSON.parse as (
  text: string,
  reviver: (name: string, value: unknown, context: { readonly source: string }) => unknown,
) => unknown

/** A string, with the colon behind it if it is the name of a member; a bracket; or the first digit of a number. Each character is looked at a bounded number of times. */
const token = /"[^"\\]*(?:\\.[^"\\]*)*"(?:\s*:)?|[{}[\]]|\d/g

/** Whether there are numbers. In text that is no JSON it may find nothing wrong: that is left to JSON.parse. */
function checkTokens(text: string): boolean {
  let hasNumbers = false
  /** Names in the objects around, outermost first; undefined for an array. */
  const around: (Set<string> | undefined)[] = []
  for (const [found] of text.matchAll(token)) {
    if (found === '{' || found === '[') around.push(found === '{' ? new Set() : undefined)
    else if (found === '}' || found === ']') around.pop()
    else if (found.endsWith(':')) checkMember(found, around.at(-1))
    else hasNumbers ||= !found.startsWith('"')
    if (around.length > maximumDepth) throw new SyntaxError(`nested deeper than ${maximumDepth}`)
  }
  return hasNumbers
}

function checkMember(found: string, names: Set<string> | undefined): void {
  const name = JSON.parse(found.slice(0, found.lastIndexOf('"') + 1)) as string
  if (names?.has(name)) throw new SyntaxError(`repeats the member ${name}`)
  names?.add(name)
}
