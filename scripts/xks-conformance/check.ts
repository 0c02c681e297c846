/** A check is a sentence about proxies; it returns if the sentence is true of this one. */
import type { Answer, XksProxy } from './proxy.ts'

/** `must` and `should` as the specification uses the words (RFC 2119); what it does not say, but KMS relies on, is a `should`. */
export interface Check {
  readonly level: 'must' | 'should'
  readonly name: string
  run(proxy: XksProxy): Promise<void>
}

export function must(name: string, run: Check['run']): Check {
  return { level: 'must', name, run }
}

export function should(name: string, run: Check['run']): Check {
  return { level: 'should', name, run }
}

/** The proxy did something else. */
export class Mismatch extends Error {
  constructor(expected: string, got: string) {
    super(`expected ${expected}, got ${got}`)
  }
}

/** The check cannot be done. */
export class Skipped extends Error {}

export function expectThat(holds: boolean, expected: string, got: unknown): asserts holds {
  if (!holds) throw new Mismatch(expected, typeof got === 'string' ? got : (JSON.stringify(got) ?? 'nothing'))
}

/** The members of a success. */
export function accepted(answer: Answer): Readonly<Record<string, unknown>> {
  expectThat(answer.status === 200, '200', shown(answer))
  return jsonOf(answer)
}

const statuses: Readonly<Record<string, number>> = {
  ValidationException: 400,
  InvalidStateException: 400,
  InvalidCiphertextException: 400,
  InvalidKeyUsageException: 400,
  AuthenticationFailedException: 401,
  AccessDeniedException: 403,
  KeyNotFoundException: 404,
  InvalidUriPathException: 404,
  ThrottlingException: 429,
  InternalException: 500,
  UnsupportedOperationException: 501,
  DependencyTimeoutException: 503,
}

/** @param errorNames any of them */
export function refused(answer: Answer, ...errorNames: readonly string[]): void {
  const expected = errorNames.map(name => `${statuses[name]} ${name}`).join(' or ')
  expectThat(answer.status >= 400, expected, shown(answer))
  const { errorName, errorMessage } = jsonOf(answer)
  const isNamed = typeof errorName === 'string' && errorNames.includes(errorName)
  expectThat(isNamed && answer.status === statuses[errorName], expected, shown(answer))
  const isText =
    errorMessage === undefined || (typeof errorMessage === 'string' && /^[\x20-\x7e]{0,511}$/.test(errorMessage))
  expectThat(isText, 'an errorMessage of fewer than 512 printable ASCII characters', shown(answer))
}

/** 200, or 501 for a value above the size that the specification requires. */
export function acceptedOrTooLarge(answer: Answer): Readonly<Record<string, unknown>> | undefined {
  if (answer.status === 200) return jsonOf(answer)
  refused(answer, 'UnsupportedOperationException')
  return undefined
}

function jsonOf(answer: Answer): Readonly<Record<string, unknown>> {
  const type = String(answer.headers['content-type'] ?? '')
  expectThat(/^application\/json\s*(;|$)/i.test(type), 'Content-Type application/json', type || 'no Content-Type')
  let value: unknown
  try {
    value = JSON.parse(answer.text)
  } catch {
    value = undefined
  }
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
  expectThat(isObject, 'a JSON object', shown(answer))
  return value as Record<string, unknown>
}

export function shown({ status, text }: Answer): string {
  const body = text.replace(/[^\x20-\x7e]+/g, ' ').trim()
  return `${status} ${body.length > 300 ? `${body.slice(0, 300)}...` : body}`.trimEnd()
}
