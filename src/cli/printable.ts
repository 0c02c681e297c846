/** Text of a policy for a terminal, in one line: control characters are written as JSON escapes. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, character =>
    Array.from({ length: character.length }, (_, index) => `\\u${hex(character.charCodeAt(index))}`).join(''),
  )
}

function hex(code: number): string {
  return code.toString(16).padStart(4, '0')
}
