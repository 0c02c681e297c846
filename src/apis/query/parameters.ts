/** Parameters of the AWS query protocol, within limits that are checked before the work they bound: Smithy 2.0, "AWS query protocol". */
import { Failure } from '../../errors.ts'

/** The largest valid request of AWS STS, AssumeRole with 50 tags that are all transitive, has about 180. */
export const maximumParameters = 512
/** Parts of a name, as in `Tags.member.1.Key`. */
const deepestName = 16

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The value of a parameter, and those whose names begin with its name and a dot. */
export interface Parameter {
  value: string | undefined
  readonly members: Map<string, Parameter>
}

/**
 * Parses form-encoded texts (WHATWG URL, section 5) as one. Throws Serialization for anything but escaped UTF-8, for a name that is given
 * twice, and beyond the limits.
 *
 * @param body UTF-8
 */
export function parseParameters(query: string, body: Uint8Array): Parameter {
  const pairs = [...split(query), ...split(textOf(body))]
  if (pairs.length > maximumParameters) {
    throw new Failure('Serialization', `The request exceeds the limit of ${maximumParameters} parameters.`)
  }
  const root = parameter()
  for (const pair of pairs) {
    if (pair === '') continue
    const equals = pair.indexOf('=')
    const name = decode(equals < 0 ? pair : pair.slice(0, equals))
    const found = parameterNamed(name, root)
    if (found.value !== undefined) throw new Failure('Serialization', 'The request has a parameter twice.')
    found.value = equals < 0 ? '' : decode(pair.slice(equals + 1))
  }
  return root
}

/** Stops one past the limit. */
function split(text: string): readonly string[] {
  return text === '' ? [] : text.split('&', maximumParameters + 1)
}

function parameter(): Parameter {
  return { value: undefined, members: new Map() }
}

function parameterNamed(name: string, root: Parameter): Parameter {
  const parts = name.split('.', deepestName + 1)
  if (parts.length > deepestName) throw new Failure('Serialization', 'The name of a parameter has too many parts.')
  let found = root
  for (const part of parts) {
    let member = found.members.get(part)
    if (member === undefined) {
      member = parameter()
      found.members.set(part, member)
    }
    found = member
  }
  return found
}

function textOf(body: Uint8Array): string {
  try {
    return utf8.decode(body)
  } catch {
    throw notEncoded()
  }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    throw notEncoded()
  }
}

/** Without the cause, which quotes the text: it may contain a token. */
function notEncoded(): Failure {
  return new Failure('Serialization', 'The request is not form-encoded UTF-8.')
}
