/** Targets of operations that end a grant. */
import { retirementBy } from '../../authorization/grants.ts'
import { Failure } from '../../errors.ts'
import type { Grant, GrantIdentity } from '../../model/keys/grant.ts'
import { keyConditions } from '../../model/keys/key-condition-keys.ts'
import { unsealGrantToken } from '../../vault/grant-tokens.ts'
import type { Permission, Search, Target, TargetKind } from '../operation.ts'
import { keyTarget, resolve } from './targets.ts'

export interface GrantTarget extends Target {
  /** Undefined if it does not exist: then the check fails. */
  readonly grant: Grant | undefined
}

interface GrantOfKey {
  readonly KeyId: string
  readonly GrantId: string
}

/** A grant of a key, whose policies decide. */
export const grantOfKey: TargetKind<GrantOfKey, GrantTarget> = {
  find({ KeyId, GrantId: id }, search) {
    checkGrantId(id)
    const { permissions, resources, owner } = keyTarget(KeyId, { state: 'view', crossAccount: true }, search)
    return { ...grantTarget({ keyArn: resources[0]!, id }, permissions, search), owner }
  },
}

interface Retirement extends Partial<GrantOfKey> {
  readonly GrantToken?: string | undefined
}

/**
 * A grant that its own principals can end, and by identity-based policies the accounts of the key and of the principal that created it. The key
 * policy has no say in it. KMS Developer Guide, "Retiring and revoking grants".
 */
export const retiredGrant: TargetKind<Retirement, GrantTarget> = {
  find({ GrantToken: token, KeyId, GrantId: id }, search) {
    if (token !== undefined && KeyId === undefined && id === undefined) {
      return unsealGrantToken(token, search).then(({ keyArn, id }) => retirement(keyArn, id, search))
    }
    if (token === undefined && KeyId !== undefined && id !== undefined) {
      checkGrantId(id)
      return retirement(KeyId, id, search)
    }
    throw new Failure('Validation', 'You must specify either GrantToken, or both KeyId and GrantId.')
  },
}

function retirement(keyId: string, id: string, search: Search): GrantTarget {
  const { caller, storage, operation } = search
  const { arn: keyArn, account, key } = resolve(keyId, { state: 'view' }, search)
  const grant = storage.grants.find(keyArn, id)
  const asked = { account, alias: undefined, caller, storage }
  const isOwn = caller.account === account || caller.account === grant?.issuingAccount
  const permission: Permission = {
    action: operation,
    resource: keyArn,
    account: isOwn ? caller.account : account,
    conditionKeys: keyConditions({ ...asked, key }),
    grant: () => grant && retirementBy(caller, grant),
    ...(account !== caller.account && {
      asMissing: { resource: keyArn, conditionKeys: keyConditions({ ...asked, key: undefined }) },
    }),
  }
  return { ...grantTarget({ keyArn, id }, [permission], search), owner: account, additionalEventData: { grantId: id } }
}

function grantTarget(
  { keyArn, id }: GrantIdentity,
  permissions: readonly Permission[],
  { storage }: Search,
): GrantTarget {
  const grant = storage.grants.find(keyArn, id)
  return {
    grant,
    permissions,
    resources: [keyArn],
    check() {
      if (!grant) throw new Failure('NotFound', `Grant '${id}' does not exist`)
    },
  }
}

/** Throws InvalidGrantId for anything but the id of a grant. */
export function checkGrantId(id: string): void {
  if (!/^[0-9a-f]{64}$/.test(id)) throw new Failure('InvalidGrantId', `Invalid grant id '${id}'`)
}
