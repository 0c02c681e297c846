/** The Authorization header of Signature Version 4, parsed strictly: IAM User Guide, "Elements of an AWS API request signature". */
import { Failure } from '../errors.ts'

export const algorithm = 'AWS4-HMAC-SHA256'

/** The signature of a request. Not to be trusted before it is verified. */
export interface Authorization {
  /** `accessKeyId/date/region/service/terminator`, as sent. */
  readonly credential: string
  readonly accessKeyId: string
  /** The credential without its access key id. */
  readonly scope: string
  /** YYYYMMDD when well formed. */
  readonly date: string
  readonly region: string
  readonly service: string
  /** `aws4_request` when well formed. */
  readonly terminator: string
  /** In the order listed. */
  readonly signedHeaders: ReadonlySet<string>
  /** As sent, separated by semicolons. */
  readonly signedHeaderList: string
  /** 64 lower-case hex digits when well formed. */
  readonly signature: string
}

const parameters = ['Credential', 'Signature', 'SignedHeaders'] as const
type Parameter = (typeof parameters)[number]

/**
 * Parameters may be in any order, separated by commas or spaces. Throws IncompleteSignature. Unlike those of AWS, messages do not repeat
 * the offending text, as misplaced text is often the secret access key.
 */
export function parseAuthorization(header: string): Authorization {
  const parts = header.split(/[, ]+/)
  if (parts[0] !== algorithm) throw incomplete(`Unsupported AWS 'algorithm' (only ${algorithm} for now).`)
  const found: Record<Parameter, string> = { Credential: '', Signature: '', SignedHeaders: '' }
  for (let index = 1; index < parts.length; index++) {
    const part = parts[index]!
    if (part === '') continue
    const equals = part.indexOf('=')
    if (equals < 0) throw incomplete('Not a valid key=value pair (missing equal-sign) in Authorization header.')
    const parameter = part.slice(0, equals)
    if (!isParameter(parameter)) throw incomplete('Authorization header holds an unknown parameter.')
    if (found[parameter] !== '') throw incomplete(`Authorization header holds '${parameter}' twice.`)
    found[parameter] = part.slice(equals + 1)
  }
  const missing = parameters.filter(parameter => found[parameter] === '')
  if (missing.length > 0)
    throw incomplete(missing.map(parameter => `Authorization header requires '${parameter}' parameter.`).join(' '))

  const elements = found.Credential.split('/')
  if (elements.length !== 5)
    throw incomplete('Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term.')
  return {
    credential: found.Credential,
    accessKeyId: elements[0]!,
    scope: found.Credential.slice(elements[0]!.length + 1),
    date: elements[1]!,
    region: elements[2]!,
    service: elements[3]!,
    terminator: elements[4]!,
    signedHeaders: parseSignedHeaders(found.SignedHeaders),
    signedHeaderList: found.SignedHeaders,
    signature: found.Signature,
  }
}

function isParameter(name: string): name is Parameter {
  return name === 'Credential' || name === 'Signature' || name === 'SignedHeaders'
}

function parseSignedHeaders(list: string): ReadonlySet<string> {
  const names = list.split(';')
  const signedHeaders = new Set(names)
  // A long header listed thousands of times would result in a canonical request of many megabytes.
  if (signedHeaders.size !== names.length) throw incomplete("'SignedHeaders' names a header twice.")
  return signedHeaders
}

function incomplete(message: string): Failure {
  return new Failure('IncompleteSignature', message)
}
