/** All violations of one request, in AWS's wording. */
import { Failure } from '../../errors.ts'

/** In UTF-16 units. AWS repeats whole values; here answers and audit records must stay bounded. */
const longestValue = 16_384
/** In UTF-16 units. Violations past this are counted, not listed. */
const longestList = 32_768

export class Violations {
  #count = 0
  #list = ''

  /**
   * @param path where, as in `tags.1.member.tagKey`
   * @param constraint what, from `Member must` on
   * @param value the value as text; null when it is absent, undefined when it must not be shown
   */
  add(path: string, constraint: string, value: string | null | undefined): void {
    this.#count++
    if (this.#list.length > longestList) return
    if (this.#count > 1) this.#list += '; '
    this.#list += `Value ${shown(value)}at '${path}' failed to satisfy constraint: ${constraint}`
    if (this.#list.length > longestList) this.#list += '; ...'
  }

  /** Throws Validation if there are any. */
  check(): void {
    if (this.#count === 0) return
    const errors = this.#count === 1 ? 'error' : 'errors'
    throw new Failure('Validation', `${this.#count} validation ${errors} detected: ${this.#list}`)
  }
}

function shown(value: string | null | undefined): string {
  if (value === undefined) return ''
  if (value === null) return 'null '
  return value.length > longestValue ? `'${value.slice(0, longestValue).toWellFormed()}...' ` : `'${value}' `
}
