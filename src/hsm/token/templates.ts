/** PKCS#11 attribute templates, by key spec and usage. */
import type { KeyUsageType } from '@aws-sdk/client-kms'
import pkcs11js from 'pkcs11js'
import type { Profile } from '../profiles/profile.ts'
import type { Template } from './cryptoki.ts'
import { isPair, type KeyMechanism } from './mechanisms.ts'

/** PKCS#11 v3.2, section 4.7: tokens of an older version do not know them. */
const CKA_ENCAPSULATE = 0x633
const CKA_DECAPSULATE = 0x634

/** What an object may do: the usage of a KMS key, or unwrap key material. `UNWRAP_DECRYPT`: and decrypt it for a worker. */
export type ObjectUsage = KeyUsageType | 'WRAP' | 'UNWRAP' | 'UNWRAP_DECRYPT'

/** The attributes of a usage, for a key that is secret as a whole and for the two of a pair. */
const usages: Readonly<Record<ObjectUsage, Readonly<Record<'secret' | 'private' | 'public', readonly number[]>>>> = {
  ENCRYPT_DECRYPT: {
    secret: [pkcs11js.CKA_ENCRYPT, pkcs11js.CKA_DECRYPT],
    private: [pkcs11js.CKA_DECRYPT],
    public: [pkcs11js.CKA_ENCRYPT],
  },
  SIGN_VERIFY: {
    secret: [],
    private: [pkcs11js.CKA_SIGN],
    public: [pkcs11js.CKA_VERIFY],
  },
  GENERATE_VERIFY_MAC: {
    secret: [pkcs11js.CKA_SIGN, pkcs11js.CKA_VERIFY],
    private: [],
    public: [],
  },
  KEY_AGREEMENT: {
    secret: [],
    private: [pkcs11js.CKA_DERIVE],
    public: [],
  },
  ENCAPSULATE_DECAPSULATE: {
    secret: [],
    private: [CKA_DECAPSULATE],
    public: [CKA_ENCAPSULATE],
  },
  WRAP: {
    secret: [pkcs11js.CKA_WRAP],
    private: [],
    public: [pkcs11js.CKA_WRAP],
  },
  UNWRAP: {
    secret: [pkcs11js.CKA_UNWRAP],
    private: [pkcs11js.CKA_UNWRAP],
    public: [pkcs11js.CKA_WRAP],
  },
  UNWRAP_DECRYPT: {
    secret: [],
    private: [pkcs11js.CKA_UNWRAP, pkcs11js.CKA_DECRYPT],
    public: [pkcs11js.CKA_WRAP, pkcs11js.CKA_ENCRYPT],
  },
}

const possible = {
  secret: [
    pkcs11js.CKA_ENCRYPT,
    pkcs11js.CKA_DECRYPT,
    pkcs11js.CKA_SIGN,
    pkcs11js.CKA_VERIFY,
    pkcs11js.CKA_WRAP,
    pkcs11js.CKA_UNWRAP,
    pkcs11js.CKA_DERIVE,
  ],
  private: [pkcs11js.CKA_DECRYPT, pkcs11js.CKA_SIGN, pkcs11js.CKA_UNWRAP, pkcs11js.CKA_DERIVE],
  public: [pkcs11js.CKA_ENCRYPT, pkcs11js.CKA_VERIFY, pkcs11js.CKA_WRAP],
} as const

/** Denies every usage but the key's own: defaults of tokens differ. */
function uses(kind: keyof typeof possible, usage: ObjectUsage): Template {
  const own = usages[usage][kind]
  const all = new Set<number>([...possible[kind], ...own])
  return [...all].map(attribute => [attribute, own.includes(attribute)] as const)
}

/** The material never leaves the token in the clear, nor at all. */
const custody: Template = [
  [pkcs11js.CKA_PRIVATE, true],
  [pkcs11js.CKA_SENSITIVE, true],
  [pkcs11js.CKA_EXTRACTABLE, false],
]

/** The material leaves the token only wrapped under a key that the security officer has marked as trusted: PKCS#11 v2.40, section 4.9. */
const custodyUnlessTrusted: Template = [
  [pkcs11js.CKA_PRIVATE, true],
  [pkcs11js.CKA_SENSITIVE, true],
  [pkcs11js.CKA_EXTRACTABLE, true],
  [pkcs11js.CKA_WRAP_WITH_TRUSTED, true],
]

/** A session object whose value can be read. */
const open: Template = [
  [pkcs11js.CKA_TOKEN, false],
  [pkcs11js.CKA_PRIVATE, true],
  [pkcs11js.CKA_SENSITIVE, false],
  [pkcs11js.CKA_EXTRACTABLE, true],
]

/** What a key is kept as on the token. */
export interface Keeping {
  /** Bytes of CKA_ID. */
  readonly id: Buffer
  readonly label: string
  readonly profile: Profile
  /** A session object that will be copied to the token. */
  readonly session?: boolean
  /** See Custody. */
  readonly wrapWithTrusted?: boolean
}

/** CKA_MODIFIABLE is last: SoftHSM sets the attributes of an unwrapped key one by one, and nothing after that one. */
function kept({ id, label, profile, session = false, wrapWithTrusted = false }: Keeping): Template {
  return [
    ...(wrapWithTrusted ? custodyUnlessTrusted : custody),
    [pkcs11js.CKA_TOKEN, !session],
    [pkcs11js.CKA_ID, id],
    [pkcs11js.CKA_LABEL, label],
    ...(profile.supportsCkaCopyable ? [[pkcs11js.CKA_COPYABLE, session] as const] : []),
    ...(profile.supportsCkaModifiable ? [[pkcs11js.CKA_MODIFIABLE, session] as const] : []),
  ]
}

/** SoftHSM and NSS allow decryption keys to sign with recovery, unless it is denied. */
function withoutRecovery({ profile }: Keeping): Template {
  return profile.supportsCkaSignRecover ? [[pkcs11js.CKA_SIGN_RECOVER, false]] : []
}

/** Attributes that a copy on the token does not take from its original. CKA_COPYABLE cannot be set false by C_CopyObject. */
export function keptCopyTemplate({ profile }: Keeping): Template {
  return [
    [pkcs11js.CKA_TOKEN, true],
    ...(profile.supportsCkaModifiable ? [[pkcs11js.CKA_MODIFIABLE, false] as const] : []),
  ]
}

function secretKey({ keyType, parameters }: KeyMechanism): Template {
  return [[pkcs11js.CKA_CLASS, pkcs11js.CKO_SECRET_KEY], [pkcs11js.CKA_KEY_TYPE, keyType], ...parameters]
}

function privateKey({ keyType }: KeyMechanism): Template {
  return [
    [pkcs11js.CKA_CLASS, pkcs11js.CKO_PRIVATE_KEY],
    [pkcs11js.CKA_KEY_TYPE, keyType],
  ]
}

export function secretKeyTemplate(key: KeyMechanism, usage: ObjectUsage, keeping: Keeping): Template {
  return [...secretKey(key), ...uses('secret', usage), ...kept(keeping)]
}

export function privateKeyTemplate(key: KeyMechanism, usage: ObjectUsage, keeping: Keeping): Template {
  return [...privateKey(key), ...uses('private', usage), ...withoutRecovery(keeping), ...kept(keeping)]
}

/** For an imported key, without its value. */
export function importTemplate(key: KeyMechanism, usage: KeyUsageType, keeping: Keeping): Template {
  if (!isPair(key)) return secretKeyTemplate({ ...key, parameters: [] }, usage, keeping)
  return privateKeyTemplate(key, usage, keeping)
}

/** A session object, of whatever length, that can do nothing: it shows that something unwraps. */
export const uselessTemplate: Template = [
  [pkcs11js.CKA_CLASS, pkcs11js.CKO_SECRET_KEY],
  [pkcs11js.CKA_KEY_TYPE, pkcs11js.CKK_GENERIC_SECRET],
  [pkcs11js.CKA_TOKEN, false],
  ...custody,
  ...possible.secret.map(attribute => [attribute, false] as const),
]

/** The same, but that it may be wrapped. */
export const measuredTemplate: Template = [
  ...uselessTemplate.filter(([type]) => type !== pkcs11js.CKA_EXTRACTABLE),
  [pkcs11js.CKA_EXTRACTABLE, true],
]

/** Session objects that can do nothing but be wrapped: under any key, and under trusted ones only. */
export function wrappedTemplates(key: KeyMechanism): { readonly byAny: Template; readonly byTrusted: Template } {
  const useless = [...secretKey(key), ...uses('secret', 'WRAP').map(([type]) => [type, false] as const)]
  const session = [pkcs11js.CKA_TOKEN, false] as const
  return {
    byAny: [
      ...useless,
      session,
      [pkcs11js.CKA_PRIVATE, true],
      [pkcs11js.CKA_SENSITIVE, true],
      [pkcs11js.CKA_EXTRACTABLE, true],
    ],
    byTrusted: [...useless, session, ...custodyUnlessTrusted],
  }
}

/**
 * A public key on the token of a security officer, who alone can mark it as trusted: it wraps, and does nothing else. It is public, as
 * security officers see no private objects: PKCS#11 v2.40, section 4.7.
 */
export function trustedTemplate({ keyType }: KeyMechanism, { id, label, profile }: Keeping): Template {
  return [
    [pkcs11js.CKA_CLASS, pkcs11js.CKO_PUBLIC_KEY],
    [pkcs11js.CKA_KEY_TYPE, keyType],
    [pkcs11js.CKA_TOKEN, true],
    [pkcs11js.CKA_PRIVATE, false],
    [pkcs11js.CKA_ID, id],
    [pkcs11js.CKA_LABEL, label],
    ...uses('public', 'WRAP'),
    [pkcs11js.CKA_TRUSTED, true],
    ...(profile.supportsCkaModifiable ? [[pkcs11js.CKA_MODIFIABLE, false] as const] : []),
  ]
}

/** An AES key of one call, that unwraps. */
export const keyEncryptionTemplate: Template = [
  [pkcs11js.CKA_CLASS, pkcs11js.CKO_SECRET_KEY],
  [pkcs11js.CKA_KEY_TYPE, pkcs11js.CKK_AES],
  [pkcs11js.CKA_TOKEN, false],
  ...custody,
  ...uses('secret', 'UNWRAP'),
]

/**
 * A session object: the public key is read when the pair is generated, and kept in storage. On the token it would be another object that
 * could be replaced.
 */
export function publicKeyTemplate({ keyType, parameters }: KeyMechanism, usage: ObjectUsage): Template {
  return [
    [pkcs11js.CKA_CLASS, pkcs11js.CKO_PUBLIC_KEY],
    [pkcs11js.CKA_KEY_TYPE, keyType],
    [pkcs11js.CKA_TOKEN, false],
    [pkcs11js.CKA_PRIVATE, false],
    ...uses('public', usage),
    ...parameters,
  ]
}

/** The private key of a data key pair. */
export function dataKeyTemplate(key: KeyMechanism, usage: KeyUsageType): Template {
  return [...privateKey(key), ...open, ...uses('private', usage)]
}

/** @param bytes of the secret */
export function sharedSecretTemplate(bytes: number): Template {
  return [
    [pkcs11js.CKA_CLASS, pkcs11js.CKO_SECRET_KEY],
    [pkcs11js.CKA_KEY_TYPE, pkcs11js.CKK_GENERIC_SECRET],
    [pkcs11js.CKA_VALUE_LEN, bytes],
    ...open,
  ]
}

/** Session objects for trials, otherwise like the keys that are kept. */
export function trialTemplate(key: KeyMechanism, usage: ObjectUsage): Template {
  return [...secretKey(key), ...uses('secret', usage), ...custody, [pkcs11js.CKA_TOKEN, false]]
}

/** An AES key of a proof, unwrapped: it tells its length itself. */
export const unwrappedTrialTemplate: Template = [
  [pkcs11js.CKA_CLASS, pkcs11js.CKO_SECRET_KEY],
  [pkcs11js.CKA_KEY_TYPE, pkcs11js.CKK_AES],
  [pkcs11js.CKA_TOKEN, false],
  ...custody,
  ...uses('secret', 'ENCRYPT_DECRYPT'),
]

export function trialPrivateTemplate(key: KeyMechanism, usage: ObjectUsage): Template {
  return [...privateKey(key), ...uses('private', usage), ...custody, [pkcs11js.CKA_TOKEN, false]]
}
