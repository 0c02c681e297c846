/**
 * What is secret in the requests and answers of the tests: collected from every client, by the models, and looked for in the audit file of
 * every gateway when it ends.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { KMSClient } from '@aws-sdk/client-kms'
import { model as kms } from '../../src/apis/kms/model.ts'
import { type Model, type Shape, shapesIn } from '../../src/apis/service-model/model.ts'
import { model as sts } from '../../src/apis/sts/model.ts'

/** A secret that is shorter, or of fewer different bytes, such as zeros, would be found by chance. */
const [shortest, fewest] = [12, 4]
/** A leak begins with the beginning of a secret, wherever it is cut. */
const begin = 24

/** An XKS proxy records by which access key it is called. */
const publicShapes = ['PublicKeyType', 'XksProxyAuthenticationAccessKeyIdType']

/** Texts by their first four characters. */
type Needles = Map<string, Set<string>>

export class Secrets {
  readonly #needles: Needles = new Map()
  readonly #known = new Set<string>()

  add(secret: Uint8Array | string): void {
    const bytes = Buffer.from(secret as Uint8Array).subarray(0, 2 * begin)
    const key = bytes.toString('latin1')
    if (bytes.length < shortest || new Set(bytes).size < fewest || this.#known.has(key)) return
    this.#known.add(key)
    for (const form of formsOf(bytes)) {
      const needle = form.slice(0, begin)
      const first = needle.slice(0, 4)
      if (!this.#needles.has(first)) this.#needles.set(first, new Set())
      this.#needles.get(first)!.add(needle)
    }
  }

  /** @param shape of the value, in the model */
  addFrom(value: unknown, shape: string, shapes: (name: string) => Shape): void {
    if (value === undefined || value === null) return
    const of = shapes(shape)
    if (publicShapes.includes(shape)) return
    if (of.type === 'blob') this.add(typeof value === 'string' ? Buffer.from(value, 'base64') : bytesOf(value))
    else if ('sensitive' in of && of.sensitive && typeof value === 'string') this.add(value)
    else if (of.type === 'list' && Array.isArray(value))
      for (const each of value) this.addFrom(each, of.member.shape, shapes)
    else if (of.type === 'structure')
      this.#addMembers(value, of.variant?.is(value as Record<string, unknown>) ? of.variant.shape : shape, shapes)
  }

  #addMembers(value: unknown, shape: string, shapes: (name: string) => Shape): void {
    const structure = shapes(shape)
    if (structure.type !== 'structure') return
    for (const [name, member] of Object.entries(structure.members))
      this.addFrom((value as Readonly<Record<string, unknown>>)[name], member.shape, shapes)
  }

  /** The beginnings of secrets that a text has. */
  foundIn(text: string): string[] {
    const found = new Set<string>()
    for (let at = 0; at < text.length - 3; at++) {
      // Most positions begin none.
      if (!this.#begins(text, at)) continue
      for (const needle of this.#needles.get(text.slice(at, at + 4)) ?? [])
        if (text.startsWith(needle, at)) found.add(needle)
    }
    return [...found]
  }

  /** By the first two characters of all needles. */
  #pairs: Uint8Array | undefined
  #pairsOf = 0

  #begins(text: string, at: number): boolean {
    if (this.#pairs === undefined || this.#pairsOf !== this.#needles.size) {
      this.#pairs = new Uint8Array(65_536)
      for (const first of this.#needles.keys()) this.#pairs[pairAt(first, 0)] = 1
      this.#pairsOf = this.#needles.size
    }
    return this.#pairs[pairAt(text, at)] === 1
  }
}

function pairAt(text: string, at: number): number {
  return ((text.charCodeAt(at) & 0xff) << 8) | (text.charCodeAt(at + 1) & 0xff)
}

function bytesOf(value: unknown): Uint8Array | string {
  return value instanceof Uint8Array || typeof value === 'string' ? value : ''
}

/** As JSON has it, in hexadecimal, and in base64. What comes before it may shift the latter, so that its ends are omitted. */
export function formsOf(bytes: Buffer): string[] {
  const text = bytes.toString()
  const hex = bytes.toString('hex')
  const inner = [1, 2].map(offset => bytes.subarray(offset).toString('base64').slice(2, -4))
  const base64 = [bytes.toString('base64').slice(0, -4), ...inner]
  const isText = Buffer.from(text).equals(bytes)
  return [
    ...(isText ? [JSON.stringify(text).slice(1, -1)] : []),
    hex,
    hex.toUpperCase(),
    ...base64,
    ...base64.map(text => text.replaceAll('+', '-').replaceAll('/', '_')),
  ].filter(form => form.length >= shortest)
}

/** Of all gateways of a test file. */
const secrets = new Secrets()

const models: readonly Model[] = [kms, sts]

/** What an operation was sent or has answered. */
export function collect(operation: string, part: 'input' | 'output', value: unknown): void {
  for (const model of models) {
    const shape = model.operations[operation]?.[part]
    if (shape) secrets.addFrom(value, shape, shapesIn(model))
  }
}

export function collectCredentials({
  secretAccessKey,
  sessionToken,
}: {
  secretAccessKey: string
  sessionToken?: string | undefined
}): void {
  secrets.add(secretAccessKey)
  if (sessionToken !== undefined) secrets.add(sessionToken)
}

/** Throws if a secret is in an audit file of the folder. */
export function checkAuditFiles(folder: string): void {
  for (const name of ['pin', 'so-pin'])
    if (existsSync(join(folder, name))) secrets.add(readFileSync(join(folder, name), 'utf8').trim())
  const files = existsSync(folder) ? readdirSync(folder).filter(name => /^audit.*\.jsonl$/.test(name)) : []
  for (const name of files) {
    const [found] = secrets.foundIn(readFileSync(join(folder, name), 'utf8'))
    if (found !== undefined) throw new Error(`a secret is in ${name}: ${found}`)
  }
}

interface Sending {
  readonly config: { credentials(): Promise<{ secretAccessKey: string; sessionToken?: string }> }
  send(
    command: { readonly constructor: { readonly name: string }; readonly input: object },
    ...rest: unknown[]
  ): Promise<object>
}

/** All clients of the SDK have the same base class. */
const client = (function baseOf(prototype: object): Sending {
  return Object.hasOwn(prototype, 'send') ? (prototype as Sending) : baseOf(Object.getPrototypeOf(prototype))
})(KMSClient.prototype)
const { send } = client

client.send = function (command, ...rest) {
  const operation = command.constructor.name.replace(/Command$/, '')
  collect(operation, 'input', command.input)
  this.config.credentials().then(collectCredentials, () => undefined)
  const answered = send.call(this, command, ...rest)
  return answered?.then(answer => {
    collect(operation, 'output', answer)
    return answer
  })
}
