import { generateKeyPairSync } from 'node:crypto'
import type { MessageType } from '@aws-sdk/client-kms'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Api, ApiRequest } from '../../../src/apis/api.ts'
import { shapeNamed } from '../../../src/apis/kms/model.ts'
import { Failure } from '../../../src/errors.ts'
import { abilities } from '../../../src/hsm/profiles/profile-file.ts'
import { type Ability, type Lacks, lacksOfAll } from '../../../src/model/keys/ability.ts'
import type { Key } from '../../../src/model/keys/key.ts'
import { keySpecs, type SupportedKeySpec } from '../../../src/model/keys/key-spec.ts'
import { operations } from '../../../src/operations/kms/catalogue.ts'
import type { OperationName } from '../../../src/operations/kms/operation.ts'
import type { AnyOperation } from '../../../src/operations/operation.ts'
import { handle } from '../../../src/pipeline.ts'
import type { Hsm, PathServices } from '../../../src/services.ts'
import { alone } from '../../../src/storage/fleet/alone.ts'
import { aUser } from '../../authorization/users.ts'
import { aKey } from '../../storage/records.ts'
import { noExternalKeyStores } from '../../xks-proxies/none.ts'

/** The pipeline's answers for an HSM with missing capabilities, for every kind of key, even those that no test token supports. */

interface Asked {
  readonly lacks: Lacks
  /** Methods of the HSM that were called. */
  readonly calls: string[]
}

/** Records its calls, and does nothing. */
function hsmOf({ lacks, calls }: Asked): Hsm {
  const own: Partial<Hsm> = { name: 'main', ivLength: 12, whyUnsupported: ability => lacks[ability] }
  return new Proxy(own as Hsm, {
    get(hsm, method) {
      if (method in hsm) return Reflect.get(hsm, method)
      return async () => {
        calls.push(String(method))
        throw new Failure('KeyUnavailable', 'asked')
      }
    },
  })
}

/** The code and message of what a caller is answered. */
async function answer(operation: OperationName, input: object, key: Key, asked: Asked): Promise<string> {
  const hsm = hsmOf(asked)
  const hsms = { all: [hsm], named: () => hsm, ofRegion: () => hsm, for: () => hsms }
  const services = {
    hsms,
    storage: {
      keys: { find: () => key, recordUse() {} },
      aliases: { find: () => undefined },
      customKeyStores: { ofKey: () => undefined },
      encryptions: { made: () => 0, count: () => undefined },
      fleet: alone,
    },
    externalKeyStores: noExternalKeyStores,
    audit: { open: () => ({ eventId: 'event', requestId: 'request' }), record: () => ({}) },
    outbox: { audited: () => undefined, fail: async () => {} },
    metrics: { started: () => () => {}, keyUseRefused() {} },
    log: { error: () => {} },
    authenticate: async () => ({ ...aUser('arn:aws:iam::111122223333:user/alice', []), region: key.region }),
    authorize: () => ({ allowed: true }),
  } as unknown as PathServices
  const api = {
    operation: () => operations.find(({ name }) => name === operation) as AnyOperation,
    input: () => structuredClone(input),
    errorCode: ({ code }: Failure) => code,
    refuse: ({ code, message }: Failure) => ({ status: 400, headers: {}, body: `${code}: ${message}` }),
  } as unknown as Api
  const request = { headers: {}, body: async () => new Uint8Array() } as unknown as ApiRequest
  return String((await handle(request, api, services)).body)
}

const valuesOf = (shape: string) => (shapeNamed(shape) as { readonly enum: readonly string[] }).enum
const bytes = (length: number) => new Uint8Array(length).fill(1)
const messages: readonly (readonly [MessageType, number])[] = [
  ['RAW', 5],
  ...[32, 48, 64].map(length => ['DIGEST', length] as const),
  ['EXTERNAL_MU', 64],
]

function peer(namedCurve: string): Uint8Array {
  return generateKeyPairSync('ec', { namedCurve }).publicKey.export({ format: 'der', type: 'spki' })
}
const peers = ['prime256v1', 'secp384r1', 'secp521r1', 'SM2'].map(peer)

/** Every call that has a dry run, with every algorithm there is. */
function everyCall({ arn: KeyId }: Key): (readonly [OperationName, object])[] {
  return [
    ...valuesOf('EncryptionAlgorithmSpec').flatMap(EncryptionAlgorithm => [
      ['Encrypt', { KeyId, Plaintext: bytes(5), EncryptionAlgorithm }] as const,
      ['Decrypt', { KeyId, CiphertextBlob: bytes(256), EncryptionAlgorithm }] as const,
      [
        'ReEncrypt',
        {
          CiphertextBlob: bytes(256),
          SourceKeyId: KeyId,
          SourceEncryptionAlgorithm: EncryptionAlgorithm,
          DestinationKeyId: KeyId,
          DestinationEncryptionAlgorithm: EncryptionAlgorithm,
        },
      ] as const,
    ]),
    ...valuesOf('SigningAlgorithmSpec').flatMap(SigningAlgorithm =>
      messages.flatMap(([MessageType, length]) => {
        const input = { KeyId, Message: bytes(length), MessageType, SigningAlgorithm }
        return [['Sign', input] as const, ['Verify', { ...input, Signature: bytes(64) }] as const]
      }),
    ),
    ...valuesOf('MacAlgorithmSpec').flatMap(MacAlgorithm => [
      ['GenerateMac', { KeyId, Message: bytes(5), MacAlgorithm }] as const,
      ['VerifyMac', { KeyId, Message: bytes(5), Mac: bytes(32), MacAlgorithm }] as const,
    ]),
    ...peers.map(PublicKey => ['DeriveSharedSecret', { KeyId, PublicKey, KeyAgreementAlgorithm: 'ECDH' }] as const),
    ['GenerateDataKey', { KeyId, KeySpec: 'AES_256' }],
    ['GenerateDataKeyWithoutPlaintext', { KeyId, NumberOfBytes: 7 }],
    ...valuesOf('DataKeyPairSpec').flatMap(KeyPairSpec => [
      ['GenerateDataKeyPair', { KeyId, KeyPairSpec }] as const,
      ['GenerateDataKeyPairWithoutPlaintext', { KeyId, KeyPairSpec }] as const,
    ]),
  ]
}

const kinds = (Object.keys(keySpecs) as SupportedKeySpec[]).flatMap(spec =>
  keySpecs[spec].usages.map(usage => aKey(1, { spec, usage })),
)

/** How often a dry run promised something, having held each one against the call itself. */
async function promises(key: Key, lacks: Lacks): Promise<number> {
  let count = 0
  for (const [operation, input] of everyCall(key)) {
    const [real, dry] = [
      { lacks, calls: [] },
      { lacks, calls: [] },
    ] as [Asked, Asked]
    const answers = [
      await answer(operation, input, key, real),
      await answer(operation, { ...input, DryRun: true }, key, dry),
    ]
    const what = `${operation} with ${JSON.stringify(input).slice(0, 200)}`
    expect(dry.calls, what).toEqual([])
    if (answers[1]!.startsWith('DryRunOperation')) {
      count++
      expect(real.calls.length, what).toBeGreaterThan(0)
    } else {
      expect(real.calls, what).toEqual([])
      expect(answers[0], what).toBe(answers[1])
    }
  }
  return count
}

describe.each(kinds.map(key => [key.spec, key.usage, key] as const))('a key %s for %s', (spec, _usage, key) => {
  const isImpossible = /^(SM2|ML_KEM)/.test(spec)

  it('succeeds in a dry run exactly if the HSM supports what it would be called with', async () => {
    const possible = await promises(key, lacksOfAll)
    // ECDH is the one thing of SM2 that has a mechanism.
    if (key.usage !== 'KEY_AGREEMENT') expect(possible > 0).toBe(!isImpossible)
  })

  it('is always refused by an HSM that supports nothing', async () => {
    const nothing = Object.fromEntries(abilities.map(ability => [ability, 'it can do nothing'])) as Lacks
    expect(await promises(key, nothing)).toBe(0)
  })
})

it('a dry run has the result of the call, whatever an HSM lacks', async () => {
  const lacks = fc.uniqueArray(fc.constantFrom<Ability>(...abilities), { maxLength: abilities.length })
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...kinds), lacks, async (key, lacking) => {
      await promises(key, { ...Object.fromEntries(lacking.map(ability => [ability, 'why not'])), ...lacksOfAll })
    }),
    { numRuns: 30 },
  )
})
