import { partitionOf, principalArn } from '../../model/arn.ts'
import { type Grant, isService } from '../../model/keys/grant.ts'
import type { Output } from './operation.ts'

type Entry = NonNullable<Output<'ListGrants'>['Grants']>[number]

/** A grant in a listing: KMS API Reference, "GrantListEntry". All that was given is given back as it came. */
export function grantEntry(grant: Grant): Entry {
  const { grantee, retiring } = grant
  return {
    KeyId: grant.keyArn,
    GrantId: grant.id,
    Name: grant.name ?? '',
    CreationDate: new Date(grant.creationDate),
    ...(isService(grantee) ? { GranteeServicePrincipal: grantee.arn } : { GranteePrincipal: grantee.arn }),
    ...(retiring &&
      (isService(retiring) ? { RetiringServicePrincipal: retiring.arn } : { RetiringPrincipal: retiring.arn })),
    IssuingAccount: principalArn(partitionOf(grant.region), grant.issuingAccount, 'root'),
    Operations: [...grant.operations],
    Constraints: grant.constraints,
  }
}
