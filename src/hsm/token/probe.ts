/** Finds out what a token really does, with keys that live in the session only: quick enough for every start of a worker. */
import pkcs11js from 'pkcs11js'
import { type GcmIv, gcmIvLengths, gcmTagLength, type Profile } from '../profiles/profile.ts'
import { CryptokiError, classOf } from '../return-codes.ts'
import type { Capabilities, Gcm } from '../wire/capabilities.ts'
import { lacksOf } from './capabilities.ts'
import type { Connection } from './connection.ts'
import type { Handle } from './cryptoki.ts'
import { keyMechanisms } from './mechanisms.ts'
import { type KeyInUse, open, seal } from './steps.ts'
import { trialTemplate } from './templates.ts'

const aes = keyMechanisms.SYMMETRIC_DEFAULT!
const text = Buffer.from('what is encrypted and signed to try it out')
const aad = Buffer.from('additional data')
/** Of all forms: a token of another form than the one tried is to answer, and not to ask for more room. */
const longestOutput = text.length + gcmTagLength + Math.max(...Object.values(gcmIvLengths))

/** Rejects with what the token answered when that says nothing about what it can do: it is lost, or busy. */
export async function probe(
  connection: Connection,
  profile: Profile,
  allowSoftwareFallback = true,
): Promise<Capabilities> {
  const mechanisms = new Set(connection.cryptoki.mechanisms(connection.slot))
  const lacks = lacksOf(profile, mechanisms, allowSoftwareFallback)
  if (lacks.SYMMETRIC_DEFAULT !== undefined) return { lacks }
  const { cryptoki, session } = connection
  const template = trialTemplate(aes, 'ENCRYPT_DECRYPT')
  const made = await attempt(profile, async () =>
    cryptoki.generateKey(session, { mechanism: aes.generation }, template),
  )
  // Some tokens keep every key: then the profile is all there is.
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

/** The first form that passes a trial, that of the profile first. */
export async function findGcm(
  connection: Connection,
  key: Handle,
  profile: Profile,
  mechanisms: ReadonlySet<number>,
): Promise<Gcm | undefined> {
  for (const gcm of candidates(profile, mechanisms)) {
    if (
      (
        await attempt(profile, () =>
          inSessionOfItsOwn(connection, session => tryGcm({ cryptoki: connection.cryptoki, session, key }, gcm)),
        )
      ).value
    ) {
      return gcm
    }
  }
  return undefined
}

/**
 * `writeback12` comes last: a library that keeps a pointer to the parameters, instead of copying them at C_EncryptInit, crashes
 * with pkcs11js, which frees them then.
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

/** A round trip, twice, with IVs that differ and are those that were used. */
async function tryGcm(key: KeyInUse, gcm: Gcm): Promise<boolean> {
  const ivs: Buffer[] = []
  for (let round = 0; round < 2; round++) {
    const drawn = key.cryptoki.random(key.session, gcmIvLengths[gcm.iv])
    const sealed = await seal(key, gcm, text, aad, { drawIv: () => Buffer.from(drawn), room: longestOutput })
    // A token that writes its own IV over the caller's is of another form.
    if (gcm.iv === 'caller' && !sealed.iv.equals(drawn)) return false
    if (!(await open(key, gcm, sealed, aad)).equals(text)) return false
    ivs.push(Buffer.from(sealed.iv))
  }
  return !ivs[0]!.equals(ivs[1]!)
}

/** Whatever a trial leaves behind in its session is gone with it. */
export async function inSessionOfItsOwn<T>(
  { cryptoki, slot }: Connection,
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

/** What the token refuses, or does wrongly, is an outcome; that it is lost or busy is not. */
export async function attempt<T>({ throttlingCodes }: Profile, trial: () => Promise<T>): Promise<Attempt<T>> {
  try {
    return { value: await trial() }
  } catch (error) {
    if (error instanceof CryptokiError) {
      const says = ['caller', 'unknown'].includes(classOf(error.code)) && !throttlingCodes.includes(error.returnCode)
      if (!says) throw error
    }
    return { refusal: (error as Error).message }
  }
}
