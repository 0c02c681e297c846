/** Profiles in YAML files, for HSMs without a built-in one: the flags of profiles/profile.ts that differ from those of `basedOn`. */
import { readFileSync } from 'node:fs'
import { Document, parse, type Scalar, type YAMLSeq } from 'yaml'
import { z } from 'zod'
import { OperatorError } from '../../errors.ts'
import type { Ability } from '../../model/keys/ability.ts'
import { algorithmsOf, keySpecs, type SupportedKeySpec } from '../../model/keys/key-spec.ts'
import { describeIssue } from '../../schema-issue.ts'
import { returnCodes } from '../return-codes.ts'
import { importMethods, keyTypes, type Profile } from './profile.ts'

const specs = Object.keys(keySpecs) as SupportedKeySpec[]

/** Everything that a profile can declare unsupported. */
export const abilities: readonly Ability[] = [
  ...new Set<Ability>([
    ...specs,
    ...specs.flatMap(spec => keySpecs[spec].usages.flatMap(usage => algorithmsOf(spec, usage))),
    'EXTERNAL_MU',
    'GenerateDataKeyPair',
    'WrapWithTrusted',
  ]),
]

const text = z.string().min(1)
const codes = z.array(z.string().refine(code => Object.hasOwn(returnCodes, code), 'not a return code of PKCS#11'))
const reasons = z.partialRecord(z.enum(abilities), text)

const flags = {
  name: text,
  title: text,
  mode: z.enum(['synchronous', 'asynchronous']),
  keyStoreUser: text.optional(),
  initIsRoundTrip: z.boolean(),
  sessionsPerWorker: z.int().min(1).max(1024),
  gcmIv: z.enum(['caller', 'writeback12', 'prepend12', 'append16']),
  gcmMechanism: z.int().min(0).max(0xffff_ffff),
  invalidCiphertextCodes: codes,
  invalidSignatureCodes: codes,
  throttlingCodes: codes,
  oaepHashes: z.array(z.enum(['sha1', 'sha256'])),
  supportsCkaModifiable: z.boolean(),
  supportsCkaCopyable: z.boolean(),
  supportsCkaSignRecover: z.boolean(),
  reportsCkaLocal: z.boolean(),
  importMethods: z.array(z.enum(importMethods)).min(1),
  keyWrapMechanisms: z.array(z.int().min(0).max(0xffff_ffff)),
  oaepUnwraps: z.array(z.enum(keyTypes)),
  keyWrapUnwraps: z.array(z.enum(keyTypes)),
  canInitializeToken: z.boolean(),
  singleProcess: z.boolean(),
  processLock: z.boolean(),
  generatesRsaKeysInSession: z.boolean(),
  tokenSearchAttempts: z.int().min(1).max(100),
  lacks: reasons,
  mayLack: reasons,
} satisfies { readonly [Flag in keyof Profile]: z.ZodType<Profile[Flag]> }

const schema = z
  .strictObject(flags)
  .partial()
  .required({ name: true })
  .extend({ basedOn: text.default('generic') })

/** @param builtIn finds the profile that the file is based on. Throws an OperatorError of one line. */
export function readProfile(file: string, builtIn: (name: string) => Profile): Profile {
  let written: unknown
  try {
    written = parse(readFileSync(file, 'utf8'))
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw new OperatorError(`cannot read the HSM profile ${file}: ${code ?? message.split('\n')[0]}`, { cause: error })
  }
  const { success, data, error } = schema.safeParse(written)
  const known = (path: readonly PropertyKey[]) => (path.length === 0 ? Object.keys(schema.shape) : abilities)
  if (!success) throw new OperatorError(`HSM profile ${file}: ${describeIssue(error.issues[0]!, known)}`)
  const { basedOn, ...given } = data
  const set = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
  return Object.freeze({ ...builtIn(basedOn), title: given.name, ...set })
}

/** A file with every flag, so that it does not change when a default does. */
export function profileText(profile: Profile, comment: string): string {
  const ordered = Object.fromEntries(Object.keys(flags).map(flag => [flag, profile[flag as keyof Profile]]))
  const document = new Document(ordered)
  document.commentBefore = ` ${comment}`
  const mechanism = document.get('gcmMechanism', true) as Scalar
  mechanism.format = 'HEX'
  for (const item of (document.get('keyWrapMechanisms') as YAMLSeq<Scalar>).items) item.format = 'HEX'
  return document.toString()
}
