import { dirname, resolve } from 'node:path'
import { type Document, isMap, isScalar, LineCounter, type Node, parseDocument, type Scalar, visit } from 'yaml'
import { z } from 'zod'
import { OperatorError } from '../errors.ts'
import { fileSchema, type WrittenIdentityFile } from '../operations/administration/identity-schema.ts'
import { describeIssue } from '../schema-issue.ts'

/** Bytes: as much as a request of the administration API holds. */
const maximumSize = 16 * 1024 * 1024

/**
 * The identities of a YAML file; paths in it are relative to its folder. Throws OperatorError with the line of a mistake.
 *
 * @param name of the file, for messages; `-` is standard input
 */
export function readIdentityFile(text: string, name: string): WrittenIdentityFile {
  const label = name === '-' ? 'standard input' : name
  if (Buffer.byteLength(text) > maximumSize) throw mistake(label, 'is longer than 16 MiB')
  const lineCounter = new LineCounter()
  // A name is what stands there: else 007 would be 7. Only plain YAML: no tag makes bytes or a set of a value.
  const document = parseDocument(text, { lineCounter, uniqueKeys: true, stringKeys: true, resolveKnownTags: false })
  const [error] = document.errors
  if (error) throw mistake(`${label}:${error.linePos?.[0].line ?? 1}`, textOf(error))
  checkNumbers(document, scalar => `${label}:${lineCounter.linePos(scalar.range?.[0] ?? 0).line}`)
  const written = plainValue(document, label)
  const { success, error: invalid } = fileSchema.safeParse(written)
  if (!success) {
    const issue = invalid.issues[0]!
    const line = lineOf(document.contents, issue.path, lineCounter)
    throw mistake(`${label}:${line}`, describeIssue(issue, knownKeys))
  }
  return withAbsolutePaths(written as WrittenIdentityFile, name === '-' ? process.cwd() : dirname(resolve(name)))
}

function textOf({ message }: Error): string {
  if (/call stack/.test(message)) return 'nested too deeply'
  if (/multiple documents/.test(message)) return 'there is more than one document'
  return message.split('\n')[0]!.replace(/ at line.*$/, '')
}

/** A number that would be written in another way afterwards, such as an external id 0012, was meant as text. */
function checkNumbers(document: Document, where: (scalar: Scalar) => string): void {
  visit(document, {
    Scalar(_, scalar) {
      const { value, source } = scalar
      if (typeof value !== 'number' || String(value) === source) return
      throw mistake(where(scalar), `${source} would be read as the number ${value}: put it in quotes`)
    },
  })
}

/** Without aliases that stand for themselves, or for more than memory holds. */
function plainValue(document: Document, label: string): unknown {
  try {
    const value: unknown = document.toJS({ maxAliasCount: 100 })
    JSON.stringify(value)
    return value
  } catch (thrown) {
    const { name, message } = thrown as Error
    throw mistake(
      label,
      name === 'TypeError' ? 'an alias stands for something that contains it' : textOf({ name, message }),
    )
  }
}

function mistake(where: string, what: string): OperatorError {
  return new OperatorError(`${where}: ${what}`, { exitCode: 2 })
}

/** Line of the deepest node on a path that exists. */
function lineOf(contents: Node | null, path: readonly PropertyKey[], lineCounter: LineCounter): number {
  let node: unknown = contents
  let offset = 0
  for (const step of path) {
    const pair = isMap(node)
      ? node.items.find(({ key }) => isScalar(key) && String(key.value) === String(step))
      : undefined
    if (!pair) break
    offset = (pair.key as Node).range?.[0] ?? offset
    node = pair.value
  }
  return lineCounter.linePos(offset).line
}

function knownKeys(path: readonly PropertyKey[]): readonly string[] {
  let at: unknown = fileSchema
  for (const step of path) {
    const inner = unwrapped(at)
    at =
      inner instanceof z.ZodObject
        ? inner.shape[step as string]
        : inner instanceof z.ZodRecord
          ? inner.valueType
          : undefined
  }
  const inner = unwrapped(at)
  return inner instanceof z.ZodObject ? Object.keys(inner.shape) : []
}

function unwrapped(type: unknown): unknown {
  return type instanceof z.ZodOptional ? unwrapped(type.unwrap()) : type
}

function withAbsolutePaths(file: WrittenIdentityFile, folder: string): WrittenIdentityFile {
  for (const { oidcProviders = {} } of Object.values(file.accounts)) {
    for (const provider of Object.values(oidcProviders)) {
      for (const member of ['jwksFile', 'caFile'] as const) {
        if (provider[member] !== undefined) provider[member] = resolve(folder, provider[member])
      }
    }
  }
  return file
}
