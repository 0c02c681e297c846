import { describe, expect, it } from 'vitest'
import { printable } from '../../src/cli/printable.ts'

describe('printable text', () => {
  it.each([
    ['plain "text", with \\ and é', 'plain "text", with \\ and é'],
    ['two\nlines\r\n\tand', 'two\\u000alines\\u000d\\u000a\\u0009and'],
    ['\u001b[31mred\u009b0m', '\\u001b[31mred\\u009b0m'],
    ['right\u202eto left\u2028', 'right\\u202eto left\\u2028'],
    ['beyond \u{e0001}\u{1f600}', 'beyond \\udb40\\udc01\u{1f600}'],
  ])('of %j is one line without control characters', (text, expected) => {
    expect(printable(text)).toBe(expected)
  })
})
