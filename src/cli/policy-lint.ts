import { createReadStream } from 'node:fs'
import { apis } from '../apis/catalogue.ts'
import { detailed, invalidPrincipals, type PolicyKind, parsePolicy } from '../authorization/grammar.ts'
import { checkKeyPolicyText } from '../authorization/key-policy.ts'
import { lint, type Warning } from '../authorization/lint/lint.ts'
import { invalidNames } from '../authorization/named-principals.ts'
import { checkTrustPolicy } from '../authorization/trust-policy.ts'
import { Failure, OperatorError } from '../errors.ts'
import type { Principal } from '../model/identities/principal.ts'
import type { Principals } from '../model/identities/principals.ts'
import { type Partition, partitions } from '../model/partitions.ts'
import { printable } from './printable.ts'

type LintedKind = 'key' | 'trust' | 'identity'

export interface LintOptions {
  readonly kind?: LintedKind
  readonly account?: string
  readonly json?: boolean
}

/** Exit codes: of a policy with warnings, and of one that would be refused. */
const [warned, refused] = [1, 3]

/** Bytes: what a request to put a policy may have, accepted or not. */
const maximumLength = 131_072

/** Prints likely mistakes in a policy, and sets the exit code. @param file `-` for standard input */
export async function lintFile(file: string, { kind: given, account, json }: LintOptions): Promise<void> {
  const text = await read(file)
  const kind = given ?? likelyKind(text)
  const name = file === '-' ? 'standard input' : file
  try {
    const warnings = warningsOf(text, kind, account)
    const lines = warnings.map(warning => `${name}: ${printable(described(warning))} [${warning.rule}]\n`)
    process.stdout.write(json ? asJson({ kind, warnings }) : lines.join(''))
    process.exitCode = warnings.length > 0 ? warned : 0
  } catch (thrown) {
    if (!(thrown instanceof Failure)) throw thrown
    const invalid = thrown.message === invalidPrincipals().message ? invalidIn(text) : []
    const error = [detailed(thrown), ...invalid].join(' ')
    if (json) process.stdout.write(asJson({ kind, error }))
    else process.stderr.write(`strongroom: ${name} is not a valid ${kind} policy: ${printable(error)}\n`)
    process.exitCode = refused
  }
}

const policyKinds: Readonly<Record<LintedKind, PolicyKind>> = { key: 'resource', trust: 'trust', identity: 'identity' }

/** An identity-based policy is about every API. */
function warningsOf(text: string, given: LintedKind, account: string | undefined): readonly Warning[] {
  const kind = policyKinds[given]
  if (kind === 'resource') checkKeyPolicyText(text, partitionOfPrincipals(text), anybody)
  if (kind === 'trust') checkTrustPolicy(text, partitionOfPrincipals(text), anybody)
  const vocabularies = apis
    .flatMap(({ policySubject }) => policySubject?.vocabulary ?? [])
    .filter(({ policyKind }) => kind === 'identity' || policyKind === kind)
  const warnings = vocabularies.flatMap(vocabulary =>
    lint(text, { kind, vocabulary, now: performance.timeOrigin, account }),
  )
  const unique = new Map(warnings.map(warning => [JSON.stringify(warning), warning]))
  return [...unique.values()].sort((a, b) => positionOf(a) - positionOf(b))
}

function positionOf({ statement }: Warning): number {
  return statement?.position ?? Number.POSITIVE_INFINITY
}

/** The principals that AWS's message does not name; none if the element itself is malformed. */
function invalidIn(text: string): readonly string[] {
  try {
    const { statements } = parsePolicy(text, 'resource')
    return statements
      .flatMap(statement => invalidNames(statement, partitionOfPrincipals(text), anybody))
      .map(({ name }) => name)
  } catch {
    return []
  }
}

/** Key policies and trust policies name principals, identity-based policies do not. */
function likelyKind(text: string): LintedKind {
  if (!/"(?:Not)?Principal"\s*:/.test(text)) return 'identity'
  return /"sts:/i.test(text) && !/"kms:/i.test(text) ? 'trust' : 'key'
}

function partitionOfPrincipals(text: string): Partition {
  const [, named] = /"arn:([\w-]+):(?:iam|sts):/.exec(text) ?? []
  return partitions.find(({ id }) => id === named) ?? partitions[0]!
}

const nobody: Principal = {
  type: 'user',
  arn: '',
  account: '',
  name: '',
  principalId: '',
  inlinePolicies: [],
  managedPolicies: [],
  groups: [],
  tags: [],
  revision: 0,
}

/** Which principals exist is not asked: a policy may be for another gateway. */
const anybody: Principals = {
  find: () => undefined,
  withId: id => {
    if (!/^A(?:ID|RO)A[A-Z0-9]+$/.test(id)) return undefined
    return { ...nobody, principalId: id }
  },
  named: () => undefined,
  isKnown: () => false,
}

function asJson(result: object): string {
  return `${JSON.stringify(result, null, 2)}\n`
}

function described({ statement, text }: Warning): string {
  if (!statement) return text
  const sid = statement.sid ? ` ("${statement.sid}")` : ''
  return `statement ${statement.position}${sid} ${text}`
}

const readErrors: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EISDIR: 'it is a directory',
  ENOENT: 'no such file',
}

async function read(file: string): Promise<string> {
  const chunks: Uint8Array[] = []
  let length = 0
  try {
    for await (const chunk of file === '-' ? process.stdin : createReadStream(file)) {
      chunks.push(chunk)
      length += chunk.length
      if (length > maximumLength) break
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new OperatorError(`cannot read ${file}: ${readErrors[code!] ?? code}`, { cause: error, exitCode: 2 })
  }
  if (length <= maximumLength) return Buffer.concat(chunks).toString()
  throw new OperatorError(
    `${file === '-' ? 'standard input' : file} is not a policy: it has more than ${maximumLength} bytes`,
    { exitCode: 2 },
  )
}
