import type { EncryptionAlgorithmSpec, KeyUsageType } from '@aws-sdk/client-kms'
import { Failure } from '../errors.ts'
import { type Alias, checkAliasName } from '../model/alias.ts'
import { aliasArn, parseKeyIdentifier } from '../model/arn.ts'
import type { Caller } from '../model/caller.ts'
import { decodeCiphertext } from '../model/ciphertext.ts'
import type { Key, KeyMaterial } from '../model/key.ts'
import { keySpecs } from '../model/key-spec.ts'
import { checkState, type StateClass } from '../model/key-state.ts'
import type { Storage } from '../services.ts'
import type { Permission, Target, TargetKind } from './operation.ts'

/** What operations act on, how it is found, and what is checked once the caller is allowed. */

interface Search {
  readonly caller: Caller
  readonly storage: Storage
  readonly operation: string
}

interface KeyNeeds {
  readonly state: StateClass
  readonly usage?: KeyUsageType
  /** Absent where the caller left it out: the key's only one is meant. */
  readonly algorithm?: EncryptionAlgorithmSpec | undefined
  /** Whether an alias may stand for the key. */
  readonly byAlias?: boolean
  /** Whether another account may be allowed: KMS Developer Guide, "Allowing users in other accounts to use a KMS key". */
  readonly crossAccount?: boolean
}

/** Members that the operations on keys have in common. */
interface KeyInput {
  readonly KeyId?: string | undefined
  readonly EncryptionAlgorithm?: EncryptionAlgorithmSpec | undefined
  readonly GrantTokens?: readonly string[] | undefined
}

export interface KeyTarget extends Target {
  readonly key: Key
}

/** The KMS key that the member KeyId names. */
export function key(needs: KeyNeeds): TargetKind<KeyInput, KeyTarget> {
  return {
    find(input, search) {
      refuseGrantTokens(input)
      return keyTarget(input.KeyId!, { ...needs, algorithm: input.EncryptionAlgorithm }, search)
    },
  }
}

/** Use of a key in cryptography: any of its four identifiers, from any account, and the right key usage. */
export function keyForUse(usage: KeyUsageType): TargetKind<KeyInput, KeyTarget> {
  return key({ state: 'use', usage, byAlias: true, crossAccount: true })
}

/** Operations without a resource: only the caller's own policies decide. */
export function account<I>(impliedActions: (input: I) => readonly string[] = () => []): TargetKind<I, Target> {
  return {
    find: (input, { caller, operation }) => ({
      permissions: [`kms:${operation}`, ...impliedActions(input)].map(action => {
        return { action, resource: '*', account: caller.account }
      }),
      resources: [],
      check() {},
    }),
  }
}

/** Operations of the account that may be narrowed to one of its keys. */
export const optionalKey: TargetKind<KeyInput, Target & { readonly key?: Key }> = {
  find(input, search) {
    const target = account().find(input, search)
    if (input.KeyId === undefined) return target
    const { key, arn } = resolve(input.KeyId, { state: 'view' }, search.caller, search.storage)
    if (key?.account === search.caller.account) return { ...target, key }
    throw new Failure('NotFoundException', `Key '${arn}' does not exist`)
  },
}

export interface CiphertextTarget extends KeyTarget {
  /** The material that the blob names. Only after the check, and only if there is a blob. */
  readonly material: KeyMaterial
}

/** The key that decrypts a blob. */
export const ciphertext: TargetKind<
  KeyInput & { CiphertextBlob?: Uint8Array | undefined; DryRunModifiers?: readonly string[] | undefined },
  CiphertextTarget
> = {
  find(input, search) {
    refuseGrantTokens(input)
    return ciphertextTarget(input.KeyId, blobOf(input), input.EncryptionAlgorithm, search)
  },
}

export interface ReEncryptTarget extends Target {
  readonly source: CiphertextTarget
  readonly destination: KeyTarget
}

/** The key that decrypts a blob, and the one under which its plaintext is encrypted again. */
export const reEncryption: TargetKind<
  {
    readonly CiphertextBlob?: Uint8Array | undefined
    readonly SourceKeyId?: string | undefined
    readonly SourceEncryptionAlgorithm?: EncryptionAlgorithmSpec | undefined
    readonly DestinationKeyId: string
    readonly DestinationEncryptionAlgorithm?: EncryptionAlgorithmSpec | undefined
    readonly GrantTokens?: readonly string[] | undefined
    readonly DryRunModifiers?: readonly string[] | undefined
  },
  ReEncryptTarget
> = {
  find(input, search) {
    refuseGrantTokens(input)
    const {
      SourceKeyId,
      SourceEncryptionAlgorithm,
      DestinationKeyId,
      DestinationEncryptionAlgorithm: algorithm,
    } = input
    const from = { ...search, operation: 'ReEncryptFrom' }
    const source = ciphertextTarget(SourceKeyId, blobOf(input), SourceEncryptionAlgorithm, from)
    const needs = { state: 'use', usage: 'ENCRYPT_DECRYPT', algorithm, byAlias: true, crossAccount: true } as const
    const destination = keyTarget(DestinationKeyId, needs, { ...search, operation: 'ReEncryptTo' })
    return {
      source,
      destination,
      permissions: [...source.permissions, ...destination.permissions],
      resources: [...source.resources, ...destination.resources],
      check() {
        source.check()
        destination.check()
      },
    }
  },
}

interface AliasInput {
  readonly AliasName: string
}

export interface AliasTarget extends Target {
  readonly alias: Alias
  /** The key that the alias points at. */
  readonly key: Key
}

/** An alias that exists, and its key. */
export const alias: TargetKind<AliasInput, AliasTarget> = {
  find: (input, search) => aliasTarget(input.AliasName, search),
}

export interface NewAliasTarget extends KeyTarget {
  readonly aliasArn: string
}

/** A name that is still free, and the key that it will point at. */
export const newAlias: TargetKind<AliasInput & { readonly TargetKeyId: string }, NewAliasTarget> = {
  find(input, search) {
    const arn = ownAliasArn(input.AliasName, search)
    const target = keyTarget(aliasTargetId(input.TargetKeyId), { state: 'modify' }, search)
    return withAlias(target, arn, search, () => {
      if (search.storage.aliases.find(arn)) {
        throw new Failure('AlreadyExistsException', `An alias with the name ${arn} already exists`)
      }
    })
  },
}

export interface AliasChangeTarget extends AliasTarget {
  /** The key that the alias shall point at from now on. */
  readonly newKey: Key
}

/** An alias that exists, its key, and the key that it shall point at. */
export const aliasChange: TargetKind<AliasInput & { readonly TargetKeyId: string }, AliasChangeTarget> = {
  find(input, search) {
    const old = aliasTarget(input.AliasName, search)
    const next = keyTarget(aliasTargetId(input.TargetKeyId), { state: 'modify' }, search)
    return {
      alias: old.alias,
      key: old.key,
      get newKey() {
        return next.key
      },
      permissions: [...old.permissions, ...next.permissions],
      resources: [...next.resources, ...old.resources],
      check: () => next.check(),
    }
  },
}

function keyTarget(identifier: string, needs: KeyNeeds, { caller, storage, operation }: Search): KeyTarget {
  const { arn, account, key } = resolve(identifier, needs, caller, storage)
  const foreign = account !== caller.account
  return {
    get key() {
      return present(key)
    },
    permissions: [
      {
        action: `kms:${operation}`,
        resource: arn,
        account,
        resourcePolicy: policyFor(key, foreign, needs.crossAccount),
        // Which key another account's alias points at, or whether there is one, is not told.
        ...(foreign && { named: identifier }),
      },
    ],
    resources: [arn],
    // Measured on AWS: cryptographic operations look at the key usage, then at the key state, then at the algorithm.
    check() {
      if (needs.usage) checkUsage(present(key), needs.usage, operation)
      checkState(present(key), needs.state)
      if (needs.algorithm) checkAlgorithm(present(key), needs.algorithm)
    },
  }
}

interface Resolved {
  readonly arn: string
  readonly account: string
  /** Absent only where another account's key does not exist: its refusal must look like one that is not allowed. */
  readonly key: Key | undefined
}

function resolve(identifier: string, needs: KeyNeeds, caller: Caller, storage: Storage): Resolved {
  const { form, arn, account } = parseKeyIdentifier(identifier, caller)
  if (form === 'alias' && !needs.byAlias) {
    throw new Failure('InvalidArnException', 'Key Aliases are not supported for this operation.')
  }
  const keyArn = form === 'alias' ? storage.aliases.find(arn)?.targetKeyArn : arn
  const found = keyArn === undefined ? undefined : storage.keys.find(keyArn)
  if (!found && account === caller.account) {
    throw new Failure(
      'NotFoundException',
      form === 'alias' ? `Alias ${arn} is not found.` : `Key '${arn}' does not exist`,
    )
  }
  return { arn: found?.arn ?? arn, account, key: found }
}

function policyFor(key: Key | undefined, foreign: boolean, crossAccount = false): string | undefined {
  return foreign && !crossAccount ? undefined : key?.policy
}

function present(key: Key | undefined): Key {
  if (!key) throw new Error('a key that does not exist was allowed')
  return key
}

function checkUsage({ arn, usage }: Key, needed: KeyUsageType, operation: string): void {
  if (usage === needed) return
  throw new Failure('InvalidKeyUsageException', `${arn} key usage is ${usage} which is not valid for ${operation}.`)
}

function checkAlgorithm({ spec }: Key, algorithm: EncryptionAlgorithmSpec): void {
  if (keySpecs[spec].encryptionAlgorithms.some(fitting => fitting === algorithm)) return
  throw new Failure('InvalidKeyUsageException', `Algorithm ${algorithm} is incompatible with key spec ${spec}.`)
}

const unknownCiphertextKey =
  'The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.'

function ciphertextTarget(
  keyId: string | undefined,
  blob: Uint8Array | undefined,
  algorithm: EncryptionAlgorithmSpec | undefined,
  search: Search,
): CiphertextTarget {
  const needs = { state: 'use', algorithm, byAlias: true, crossAccount: true } as const
  const named = keyId === undefined ? undefined : keyTarget(keyId, needs, search)
  const target = named ?? keyOfBlob(blob, needs, search)
  let material: KeyMaterial | undefined
  return {
    get key() {
      return target.key
    },
    get material() {
      return material!
    },
    permissions: named
      ? named.permissions
      : target.permissions.map(permission => ({ ...permission, denial: unknownCiphertextKey })),
    resources: target.resources,
    check() {
      if (blob) material = materialOf(target.key, blob)
      checkUsage(target.key, 'ENCRYPT_DECRYPT', search.operation)
      target.check()
    },
  }
}

function keyOfBlob(blob: Uint8Array | undefined, needs: KeyNeeds, search: Search): KeyTarget {
  if (!blob) throw new Failure('ValidationException', 'KeyId is required when the ciphertext is ignored.')
  const { material } = decodeCiphertext(blob)
  const found = search.storage.keys.findByMaterial(material, search.caller.region)
  if (!found) throw new Failure('AccessDeniedException', unknownCiphertextKey)
  return keyTarget(found.arn, needs, search)
}

function materialOf(key: Key, blob: Uint8Array): KeyMaterial {
  const { material } = decodeCiphertext(blob)
  const found = key.materials.find(({ id }) => id === material)
  if (found) return found
  const text = 'The key ID in the request does not identify a CMK that can perform this operation.'
  throw new Failure('IncorrectKeyException', text)
}

/** The blob is optional in the model, but only because a dry run may ignore it. */
function blobOf(input: {
  readonly CiphertextBlob?: Uint8Array | undefined
  readonly DryRun?: boolean | undefined
  readonly DryRunModifiers?: readonly string[] | undefined
}): Uint8Array | undefined {
  const ignored = input.DryRunModifiers?.includes('IGNORE_CIPHERTEXT')
  if (ignored && !input.DryRun) {
    throw new Failure('ValidationException', 'DryRunModifiers can only be given together with DryRun.')
  }
  if (ignored) return undefined
  if (input.CiphertextBlob) return input.CiphertextBlob
  const text = `1 validation error detected: Value null at 'ciphertextBlob' failed to satisfy constraint: Member must not be null`
  throw new Failure('ValidationException', text)
}

/** No grant has been created yet, so no token can be valid. */
function refuseGrantTokens(input: KeyInput): void {
  if (input.GrantTokens?.length) throw new Failure('InvalidGrantTokenException')
}

function ownAliasArn(name: string, { caller }: Search): string {
  checkAliasName(name)
  return aliasArn(caller, name)
}

function aliasTargetId(identifier: string): string {
  if (!/^(?:alias\/|arn:[^/]*:alias\/)/.test(identifier)) return identifier
  throw new Failure('ValidationException', 'Aliases must refer to keys. Not aliases')
}

function aliasTarget(name: string, search: Search): AliasTarget {
  const arn = ownAliasArn(name, search)
  const found = search.storage.aliases.find(arn)
  if (!found) throw new Failure('NotFoundException', `Alias ${arn} is not found.`)
  const target = keyTarget(found.targetKeyArn, { state: 'view' }, search)
  return { ...withAlias(target, arn, search), key: target.key, alias: found }
}

/** Alias operations need permission on the alias, by the caller's own policies, and on its key. */
function withAlias(
  target: KeyTarget,
  arn: string,
  { caller, operation }: Search,
  checkName = () => {},
): NewAliasTarget {
  const permission: Permission = { action: `kms:${operation}`, resource: arn, account: caller.account }
  return {
    get key() {
      return target.key
    },
    aliasArn: arn,
    permissions: [permission, ...target.permissions],
    resources: [...target.resources, arn],
    check() {
      target.check()
      checkName()
    },
  }
}
