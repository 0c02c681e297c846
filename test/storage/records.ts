/** Sample records. Their secrets and keys are fictitious. */

import type { AccessKey } from '../../src/model/identities/access-key.ts'
import type { Principal } from '../../src/model/identities/principal.ts'
import type { Alias } from '../../src/model/keys/alias.ts'
import type { Grant } from '../../src/model/keys/grant.ts'
import type { Destruction, Key, KeyMaterial, SpareKey, SystemKey } from '../../src/model/keys/key.ts'

export const account = '111122223333'
export const region = 'eu-central-1'

export function aMaterial(number: number, rest: Partial<KeyMaterial> = {}): KeyMaterial {
  return {
    id: number.toString(16).padStart(64, '0'),
    hsm: 'main',
    custody: { sensitive: true, extractable: false, alwaysSensitive: true, neverExtractable: true, local: true },
    publicKey: undefined,
    checkValue: undefined,
    createdAt: 1_700_000_000_000 + number,
    ...rest,
  }
}

/** Key ids sort by their number. */
export function aKey(number: number, rest: Partial<Key> = {}): Key {
  const id = `00000000-0000-4000-8000-${number.toString().padStart(12, '0')}`
  const where = { account, region, ...rest }
  return {
    arn: `arn:aws:kms:${where.region}:${where.account}:key/${id}`,
    id,
    account,
    region,
    spec: 'SYMMETRIC_DEFAULT',
    usage: 'ENCRYPT_DECRYPT',
    origin: 'AWS_KMS',
    state: 'Enabled',
    description: '',
    creationDate: 1_700_000_000_000 + number,
    deletionDate: undefined,
    custodyFault: undefined,
    tags: [],
    policy: '{"Version":"2012-10-17","Statement":[]}',
    policyPrincipals: undefined,
    materials: [aMaterial(number)],
    revision: 0,
    ...rest,
  }
}

export function anAlias(name: string, target: Key, rest: Partial<Alias> = {}): Alias {
  return {
    arn: `arn:aws:kms:${target.region}:${target.account}:alias/${name}`,
    name: `alias/${name}`,
    account: target.account,
    region: target.region,
    targetKeyArn: target.arn,
    creationDate: 1_700_000_000_000,
    lastUpdatedDate: 1_700_000_000_001,
    revision: 0,
    ...rest,
  }
}

/** Grant ids sort by their number. */
export function aGrant(number: number, key: Key, rest: Partial<Grant> = {}): Grant {
  return {
    id: number.toString(16).padStart(64, '0'),
    keyArn: key.arn,
    region: key.region,
    name: undefined,
    grantee: { arn: `arn:aws:iam::${account}:user/grantee`, uniqueId: undefined },
    retiring: undefined,
    issuingAccount: account,
    operations: ['Encrypt', 'Decrypt'],
    constraints: undefined,
    creationDate: 1_700_000_000_000,
    fingerprint: undefined,
    revision: 0,
    ...rest,
  }
}

export function aPrincipal(name: string, rest: Partial<Principal> = {}): Principal {
  const { type = 'user' } = rest
  return {
    type,
    arn: `arn:aws:iam::${account}:${type}/${name}`,
    account,
    name,
    principalId: `${type === 'user' ? 'AIDA' : 'AROA'}${name.toUpperCase().padEnd(17, 'X')}`,
    policies: ['{"Version":"2012-10-17","Statement":[]}'],
    permissionsBoundary: undefined,
    tags: [],
    revision: 0,
    ...rest,
  }
}

export function anAccessKey(id: string, principal: Principal, rest: Partial<AccessKey> = {}): AccessKey {
  return {
    id,
    principalArn: principal.arn,
    sealedSecret: new Uint8Array([0, 1, 254, 255]),
    revision: 0,
    ...rest,
  }
}

export function aSystemKey(purpose: SystemKey['purpose'], material: KeyMaterial): SystemKey {
  return { purpose, material, revision: 0 }
}

export function aSpareKey({ createdAt: _, checkValue: __, ...material }: KeyMaterial): SpareKey {
  return {
    spec: 'RSA_2048',
    usage: 'SIGN_VERIFY',
    material: { ...material, publicKey: Uint8Array.of(1, 2, 3) },
    revision: 0,
  }
}

export function aDestruction(material: KeyMaterial, key: Key): Destruction {
  return { material: material.id, hsm: material.hsm, keyArn: key.arn, revision: 0 }
}
