/** Profiles in YAML files, for HSMs that have none here: the flags of profiles/profile.ts, each as it is there unless it is given. */
import { readFileSync } from 'node:fs'
import { Document, parse, type Scalar } from 'yaml'
import { z } from 'zod'
import { OperatorError } from '../../errors.ts'
import type { Ability } from '../../model/keys/ability.ts'
import { algorithmsOf, keySpecs, type SupportedKeySpec } from '../../model/keys/key-spec.ts'
import { nearestName } from '../../nearest-name.ts'
import { returnCodes } from '../return-codes.ts'
import type { Profile } from './profile.ts'

const specs = Object.keys(keySpecs) as SupportedKeySpec[]

/** Everything that a profile may say of an HSM. */
export const abilities: readonly Ability[] = [
  ...new Set<Ability>([
    ...specs,
    ...specs.flatMap(spec => keySpecs[spec].usages.flatMap(usage => algorithmsOf(spec, usage))),
    'EXTERNAL_MU',
    'GenerateDataKeyPair',
  ]),
]

const text = z.string().min(1)
const codes = z.array(z.string().refine(code => Object.hasOwn(returnCodes, code), 'is not a return code of PKCS#11'))
const reasons = z.partialRecord(z.enum(abilities), text)

const flags = {
  name: text,
  title: text,
  mode: z.enum(['measured', 'synchronous', 'asynchronous', 'threads']),
  sessions: z.int().min(1).max(1024),
  gcmIv: z.enum(['caller', 'writeback12', 'prepend12', 'append16']),
  gcmMechanism: z.int().min(0).max(0xffff_ffff),
  badCiphertext: codes,
  badSignature: codes,
  throttling: codes,
  oaepHashes: z.array(z.enum(['sha1', 'sha256'])),
  modifiable: z.boolean(),
  copyable: z.boolean(),
  signRecover: z.boolean(),
  tellsLocal: z.boolean(),
  provisions: z.boolean(),
  singleProcess: z.boolean(),
  copiesRsaKeys: z.boolean(),
  searches: z.int().min(1).max(100),
  lacks: reasons,
  unsure: reasons,
} satisfies { readonly [Flag in keyof Profile]: z.ZodType<Profile[Flag]> }

const schema = z
  .strictObject(flags)
  .partial()
  .required({ name: true })
  .extend({ basedOn: text.default('generic') })

/** @param builtIn finds the profile that the file is based on */
export function readProfile(file: string, builtIn: (name: string) => Profile): Profile {
  let written: unknown
  try {
    written = parse(readFileSync(file, 'utf8'))
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw new OperatorError(`Cannot read the HSM profile ${file}: ${code ?? message.split('\n')[0]}.`, { cause: error })
  }
  const { success, data, error } = schema.safeParse(written)
  if (!success) throw new OperatorError(`The HSM profile ${file} ${described(error.issues[0]!)}`)
  const { basedOn, ...given } = data
  const set = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
  return Object.freeze({ ...builtIn(basedOn), title: given.name, ...set })
}

function described(issue: z.core.$ZodIssue): string {
  const path = issue.path.join('.')
  if (issue.code !== 'unrecognized_keys') return `has a mistake${path && ` at ${path}`}: ${issue.message}.`
  const [name] = issue.keys
  const known = path === '' ? Object.keys(schema.shape) : abilities
  const nearest = nearestName(name!, known)
  return `has an unknown key ${name}${path && ` under ${path}`}${nearest ? `; did you mean ${nearest}?` : '.'}`
}

/** The text of a file that states every flag, so that it stays what it is. */
export function profileText(profile: Profile, comment: string): string {
  const ordered = Object.fromEntries(Object.keys(flags).map(flag => [flag, profile[flag as keyof Profile]]))
  const document = new Document(ordered)
  document.commentBefore = ` ${comment}`
  const mechanism = document.get('gcmMechanism', true) as Scalar
  mechanism.format = 'HEX'
  return document.toString()
}
