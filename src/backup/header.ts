/** The first line of a backup: JSON that can be read without an HSM. It is authenticated by the sealed content. */
import { z } from 'zod'
import { OperatorError } from '../errors.ts'

/** Of the file. */
const format = 1

const wrappedKey = z.strictObject({
  /** Name in the configuration. */
  hsm: z.string(),
  /** CKA_ID of the seal key that wrapped the data key: 64 hex digits. */
  object: z.string().regex(/^[0-9a-f]{64}$/),
  /** Ciphertext blob: model/keys/ciphertext.ts. */
  blob: z.base64(),
})

const schema = z.strictObject({
  strongroomBackup: z.literal(format),
  id: z.uuid(),
  /** Of Strongroom. */
  version: z.string(),
  /** ISO 8601, UTC. */
  time: z.iso.datetime(),
  gateway: z.string(),
  engine: z.enum(['sqlite', 'postgresql']),
  /** Number of the last migration of the database. */
  schema: z.int().min(1),
  /** Of the last commit that the backup has. */
  changeNumber: z.int().min(0),
  /** Tokens by name in the configuration, as it addresses them. */
  hsms: z.record(z.string(), z.strictObject({ label: z.string().optional(), serial: z.string().optional() })),
  /** The data key, wrapped by the seal key of each HSM that was reached. */
  dataKeys: z.array(wrappedKey).min(1),
})

export type Header = z.infer<typeof schema>
export type WrappedKey = z.infer<typeof wrappedKey>

/** Bytes. */
export const maximumHeader = 1_048_576

/** With its newline. */
export function encodeHeader(header: Omit<Header, 'strongroomBackup'>): Buffer {
  return Buffer.from(`${JSON.stringify({ strongroomBackup: format, ...header })}\n`)
}

/** Throws OperatorError. @param file for messages */
export function decodeHeader(line: Uint8Array, file: string): Header {
  let json: unknown
  try {
    json = JSON.parse(Buffer.from(line).toString())
  } catch {
    throw new OperatorError(`${file} is not a backup of Strongroom`)
  }
  const { success, data } = schema.safeParse(json)
  if (success) return data
  const found = (json as { readonly strongroomBackup?: unknown } | null)?.strongroomBackup
  if (found === undefined) throw new OperatorError(`${file} is not a backup of Strongroom`)
  if (found !== format)
    throw new OperatorError(`${file} has the format ${found}, this version reads format ${format}: upgrade`)
  throw new OperatorError(`${file} has a damaged header`)
}
