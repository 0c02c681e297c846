/** Tests what a token supports, with session keys: quick enough for each start of a worker. */
import pkcs11js from 'pkcs11js'
import { type GcmIv, gcmIvLengths, gcmTagLength, type Profile } from '../profiles/profile.ts'
import { CryptokiError } from '../return-codes.ts'
import type { Capabilities, Gcm } from '../wire/capabilities.ts'
import { isRefusal } from './bad-input.ts'
import { lacksOf, type Permissions } from './capabilities.ts'
import type { Connection } from './connection.ts'
import type { Handle } from './cryptoki.ts'
import { keyMechanisms } from './mechanisms.ts'
import { type KeyInUse, open, seal } from './steps.ts'
import { trialTemplate } from './templates.ts'

const aes = keyMechanisms.SYMMETRIC_DEFAULT!
const text = Buffer.from('what is encrypted and signed to try it out')
const aad = Buffer.from('additional data')
/** Room for the output of every form, so that a token of another form than the one tried does not fail for lack of room. */
const longestOutput = text.length + gcmTagLength + Math.max(...Object.values(gcmIvLengths))

/** Rejects with the error of the token if it is lost or busy. */
export async function probe(
  connection: Connection,
  profile: Profile,
  permissions?: Permissions,
): Promise<Capabilities> {
  const mechanisms = new Set(connection.cryptoki.mechanisms(connection.slot))
  const lacks = lacksOf(profile, mechanisms, permissions)
  if (lacks.SYMMETRIC_DEFAULT !== undefined) return { lacks }
  const { cryptoki, session } = connection
  const template = trialTemplate(aes, 'ENCRYPT_DECRYPT')
  const made = await attempt(profile, async () =>
    cryptoki.generateKey(session, { mechanism: aes.generation }, template),
  )
  // Some tokens refuse session keys: then the profile is taken at its word.
  if (made.refusal !== undefined) return { gcm: gcmOfProfile(profile), lacks }
  const key = made.value
  try {
    const gcm = await findGcm(connection, key, profile, mechanisms)
    if (gcm !== undefined) return { gcm, lacks }
    return { lacks: { ...lacks, SYMMETRIC_DEFAULT: 'none of its known forms works' } }
  } finally {
    cryptoki.destroyObject(session, key)
  }
}

function gcmOfProfile({ gcmIv, gcmMechanism }: Profile): Gcm {
  return { iv: gcmIv, mechanism: gcmMechanism }
}

/** The first form that works, beginning with that of the profile. */
export async function findGcm(
  connection: Connection,
  key: Handle,
  profile: Profile,
  mechanisms: ReadonlySet<number>,
): Promise<Gcm | undefined> {
  for (const gcm of candidates(profile, mechanisms)) {
    const { value: works } = await attempt(profile, () =>
      inSessionOfItsOwn(connection, session => tryGcm({ cryptoki: connection.cryptoki, session, key }, gcm)),
    )
    if (works) return gcm
  }
  return undefined
}

/**
 * `writeback12` comes last: a library that keeps a pointer to the parameters, instead of copying them in C_EncryptInit, crashes, as
 * pkcs11js frees them then.
 */
const forms: readonly GcmIv[] = ['caller', 'prepend12', 'append16', 'writeback12']
const cloudHsmGcm = 0x8000_1087

function candidates(profile: Profile, mechanisms: ReadonlySet<number>): readonly Gcm[] {
  const known = new Set([
    profile.gcmMechanism,
    pkcs11js.CKM_AES_GCM,
    ...(mechanisms.has(cloudHsmGcm) ? [cloudHsmGcm] : []),
  ])
  return [gcmOfProfile(profile), ...forms.flatMap(iv => [...known].map(mechanism => ({ iv, mechanism })))]
}

/** Two encryptions and decryptions, whose IVs must differ. */
async function tryGcm(key: KeyInUse, gcm: Gcm): Promise<boolean> {
  const ivs: Buffer[] = []
  for (let round = 0; round < 2; round++) {
    const drawn = key.cryptoki.random(key.session, gcmIvLengths[gcm.iv])
    const sealed = await seal(key, gcm, text, aad, { drawIv: () => Buffer.from(drawn), room: longestOutput })
    // A token that overwrites the caller's IV is of another form.
    if (gcm.iv === 'caller' && !sealed.iv.equals(drawn)) return false
    if (!(await open(key, gcm, sealed, aad)).equals(text)) return false
    ivs.push(Buffer.from(sealed.iv))
  }
  return !ivs[0]!.equals(ivs[1]!)
}

/** Closes the session afterwards, whatever the operation left in it. */
export async function inSessionOfItsOwn<T>(
  { cryptoki, slot }: Pick<Connection, 'cryptoki' | 'slot'>,
  use: (session: Handle) => Promise<T>,
): Promise<T> {
  const session = cryptoki.openSession(slot)
  try {
    return await use(session)
  } finally {
    cryptoki.closeSession(session)
  }
}

export type Attempt<T> =
  | { readonly value: T; readonly refusal?: never }
  | { readonly value?: never; readonly refusal: string }

/** A refusal or a wrong result is an outcome; rejects if the token is lost or busy. */
export async function attempt<T>(profile: Profile, trial: () => Promise<T>): Promise<Attempt<T>> {
  try {
    return { value: await trial() }
  } catch (error) {
    if (error instanceof CryptokiError && !isRefusal(error, profile)) throw error
    return { refusal: (error as Error).message }
  }
}
