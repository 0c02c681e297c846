/**
 * Text of any characters in a database that does not store U+0000 (PostgreSQL documentation, "Character Types"), which a description may
 * have. It is replaced by a noncharacter, which is for internal use (The Unicode Standard, section 23.7), and a digit; so is the
 * noncharacter itself. All other text is stored as it is, and ordered by its bytes.
 */
const mark = '\uFDD0'
const marked = /[\0\uFDD0]/g
const replaced = /\uFDD0([01])/g

export function encodeText(text: string): string {
  return text.includes('\0') || text.includes(mark)
    ? text.replace(marked, found => (found === '\0' ? `${mark}0` : `${mark}1`))
    : text
}

export function decodeText(text: string): string {
  return text.includes(mark) ? text.replace(replaced, (_, digit) => (digit === '0' ? '\0' : mark)) : text
}
