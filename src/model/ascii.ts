/**
 * Lower case of the letters A to Z only. Actions and condition keys are compared in it: `toLowerCase` would turn the Kelvin sign
 * (U+212A) into a `k`, and one name into another.
 */
export function asciiLowerCase(text: string): string {
  return isAscii.test(text) ? text.toLowerCase() : text.replace(/[A-Z]+/g, letters => letters.toLowerCase())
}

const isAscii = /^[\0-\x7f]*$/
