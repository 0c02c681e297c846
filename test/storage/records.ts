/** Sample records. Their secrets and keys are fictitious. */

import type { AccessKey } from '../../src/model/identities/access-key.ts'
import type { Account } from '../../src/model/identities/account.ts'
import type { Group } from '../../src/model/identities/group.ts'
import { type OidcProvider, oidcProviderArn } from '../../src/model/identities/oidc-provider.ts'
import type { ManagedPolicy } from '../../src/model/identities/policy.ts'
import type { Principal, Role, User } from '../../src/model/identities/principal.ts'
import type { Service } from '../../src/model/identities/service.ts'
import type { Alias } from '../../src/model/keys/alias.ts'
import type { CustomKeyStore, XksProxy } from '../../src/model/keys/custom-key-store.ts'
import type { Grant } from '../../src/model/keys/grant.ts'
import type {
  Destruction,
  Key,
  KeyMaterial,
  KeyObject,
  SpareKey,
  SystemKey,
  WrappingKey,
} from '../../src/model/keys/key.ts'
import type { XksKey } from '../../src/model/xks/external-key.ts'
import type { XksPrefix } from '../../src/model/xks/prefix.ts'

export const account = '111122223333'
export const region = 'eu-central-1'

export function anObject(number: number, rest: Partial<KeyObject> = {}): KeyObject {
  return {
    id: number.toString(16).padStart(64, '0'),
    hsm: 'main',
    custody: { sensitive: true, extractable: false, alwaysSensitive: true, neverExtractable: true, local: true },
    publicKey: undefined,
    checkValue: undefined,
    ...rest,
  }
}

/** Generated; its object has the same id. */
export function aMaterial(number: number, object: Partial<KeyObject> = {}): KeyMaterial {
  return {
    id: anObject(number).id,
    createdAt: 1_700_000_000_000 + number,
    object: anObject(number, object),
    rotation: undefined,
    imported: undefined,
  }
}

/** Key ids sort by their number. */
export function aKey(number: number, rest: Partial<Key> = {}): Key {
  const { id = `00000000-0000-4000-8000-${number.toString().padStart(12, '0')}` } = rest
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
    pendingMaterial: undefined,
    automaticRotation: undefined,
    manager: undefined,
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
    formerKeys: undefined,
    successorKeyArn: undefined,
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

export function aPrincipal(name: string, rest: Partial<User> = {}): User {
  return { ...anIdentity('user', name), type: 'user', groups: [], ...rest }
}

export function aRole(name: string, rest: Partial<Role> = {}): Role {
  return {
    ...anIdentity('role', name),
    type: 'role',
    description: undefined,
    trustPolicy: `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"${account}"},"Action":"sts:AssumeRole"}}`,
    trustPrincipals: undefined,
    maxSessionDuration: 3600,
    ...rest,
  }
}

function anIdentity(type: 'user' | 'role', name: string) {
  return {
    arn: `arn:aws:iam::${account}:${type}/${name}`,
    account,
    name,
    principalId: `${type === 'user' ? 'AIDA' : 'AROA'}${name.toUpperCase().padEnd(17, 'X')}`,
    inlinePolicies: [{ name: 'nothing', document: '{"Version":"2012-10-17","Statement":[]}' }],
    managedPolicies: [],
    permissionsBoundary: undefined,
    tags: [],
    createdAt: 1_700_000_000_000,
    sessionsRevokedBefore: undefined,
    owner: undefined,
    revision: 0,
  }
}

export function aPolicy(name: string, document: string, rest: Partial<ManagedPolicy> = {}): ManagedPolicy {
  return {
    arn: `arn:aws:iam::${account}:policy/${name}`,
    account,
    name,
    policyId: `ANPA${name.toUpperCase().padEnd(17, 'X')}`,
    document,
    description: undefined,
    createdAt: 1_700_000_000_000,
    owner: undefined,
    revision: 0,
    ...rest,
  }
}

export function aGroup(name: string, rest: Partial<Group> = {}): Group {
  return {
    arn: `arn:aws:iam::${account}:group/${name}`,
    account,
    name,
    groupId: `AGPA${name.toUpperCase().padEnd(17, 'X')}`,
    inlinePolicies: [],
    managedPolicies: [],
    createdAt: 1_700_000_000_000,
    owner: undefined,
    revision: 0,
    ...rest,
  }
}

export function anOidcProvider(host: string, rest: Partial<OidcProvider> = {}): OidcProvider {
  const url = `https://${host}`
  return {
    arn: oidcProviderArn('aws', account, url),
    account,
    url,
    audiences: ['sts.amazonaws.com'],
    jwksUrl: undefined,
    jwksFile: undefined,
    caFile: undefined,
    createdAt: 1_700_000_000_000,
    owner: undefined,
    revision: 0,
    ...rest,
  }
}

/** Of type AWS_CLOUDHSM. Ids sort by their number. */
export function aCustomKeyStore(number: number, rest: Partial<CustomKeyStore> = {}): CustomKeyStore {
  return {
    id: `cks-${number.toString().padStart(17, '0')}`,
    account,
    region,
    name: `store ${number}`,
    type: 'AWS_CLOUDHSM',
    creationDate: 1_700_000_000_000 + number,
    state: 'DISCONNECTED',
    connectionErrorCode: undefined,
    cloudHsm: {
      clusterId: `cluster-${number.toString().padStart(11, 'a')}`,
      trustAnchorCertificate: '-----BEGIN CERTIFICATE-----',
      sealedPassword: new Uint8Array([1, 0, 255]),
    },
    xks: undefined,
    revision: 0,
    ...rest,
  }
}

export function anExternalKeyStore(number: number, rest: Partial<XksProxy> = {}): CustomKeyStore {
  return aCustomKeyStore(number, {
    type: 'EXTERNAL_KEY_STORE',
    cloudHsm: undefined,
    xks: {
      connectivity: 'PUBLIC_ENDPOINT',
      uriEndpoint: 'https://xks.example.com',
      uriPath: `/${number}/kms/xks/v1`,
      accessKeyId: 'AAAAAAAAAAAAAAAAAAAA',
      sealedSecret: new Uint8Array([2, 0, 255]),
      ...rest,
    },
  })
}

export function aService(name: string, user: Principal, rest: Partial<Service> = {}): Service {
  return {
    name,
    userArn: user.arn,
    accounts: [account],
    createdAt: 1_700_000_000_000,
    owner: undefined,
    revision: 0,
    ...rest,
  }
}

export function anAccount(id: string, rest: Partial<Account> = {}): Account {
  return { id, name: undefined, createdAt: 1_700_000_000_000, owner: undefined, revision: 0, ...rest }
}

export function anAccessKey(id: string, principal: Principal, rest: Partial<AccessKey> = {}): AccessKey {
  return {
    id,
    principalArn: principal.arn,
    sealedSecret: new Uint8Array([0, 1, 254, 255]),
    status: 'Active',
    createdAt: 1_700_000_000_000,
    revision: 0,
    ...rest,
  }
}

export function aSystemKey(purpose: SystemKey['purpose'], material: KeyMaterial): SystemKey {
  return { purpose, material, former: undefined, revision: 0 }
}

export function aSpareKey({ checkValue: _, ...object }: KeyObject): SpareKey {
  return {
    spec: 'RSA_2048',
    usage: 'SIGN_VERIFY',
    object: { ...object, publicKey: Uint8Array.of(1, 2, 3) },
    revision: 0,
  }
}

export function aWrappingKey(number: number, key: Key): WrappingKey {
  const object = anObject(number, { publicKey: Uint8Array.of(1, 2, 3) })
  return { object, keyArn: key.arn, spec: 'RSA_4096', day: 20_000 + number, revision: 0 }
}

export function aDestruction({ id, hsm }: KeyObject, key: Key): Destruction {
  return { object: id, hsm, keyArn: key.arn, revision: 0 }
}

export function anXksPrefix(name: string, rest: Partial<XksPrefix> = {}): XksPrefix {
  const accessKeyId = 'AAAABBBBCCCCDDDDEEEE'
  return {
    name,
    account,
    region,
    frozen: false,
    credentials: [
      { accessKeyId, sealedSecret: new Uint8Array([0, 1, 254, 255]), createdAt: 1_700_000_000_000, status: 'Active' },
    ],
    clientCertificate: undefined,
    quota: undefined,
    sampleProxyAad: false,
    revision: 0,
    ...rest,
  }
}

export function anXksKey({ name }: XksPrefix, id: string, rest: Partial<XksKey> = {}): XksKey {
  return {
    prefix: name,
    id,
    keyArn: aKey(1).arn,
    frozen: false,
    pinFirstUser: false,
    pinnedTo: undefined,
    revision: 0,
    ...rest,
  }
}
