/** What the settings of a custom key store must satisfy: KMS API Reference, "CreateCustomKeyStore", "UpdateCustomKeyStore". */
import { X509Certificate } from 'node:crypto'
import type {
  CreateCustomKeyStoreCommandInput,
  CustomKeyStoreType,
  UpdateCustomKeyStoreCommandInput,
} from '@aws-sdk/client-kms'
import { Failure } from '../../errors.ts'
import { endpointHost } from '../xks/uris.ts'
import type { CustomKeyStore, XksProxy } from './custom-key-store.ts'

type Member = keyof CreateCustomKeyStoreCommandInput & string

/** Members of the input by the type of the store that has them. */
const membersOf: Readonly<Record<CustomKeyStoreType, readonly Member[]>> = {
  AWS_CLOUDHSM: ['CloudHsmClusterId', 'TrustAnchorCertificate', 'KeyStorePassword'],
  EXTERNAL_KEY_STORE: [
    'XksProxyUriEndpoint',
    'XksProxyUriPath',
    'XksProxyConnectivity',
    'XksProxyAuthenticationCredential',
    'XksProxyVpcEndpointServiceName',
    'XksProxyVpcEndpointServiceOwner',
  ],
}

/** Not needed with a public endpoint. */
const optional: readonly Member[] = ['XksProxyVpcEndpointServiceName', 'XksProxyVpcEndpointServiceOwner']

/** Throws Validation for members of the other type. */
export function checkMembers(type: CustomKeyStoreType, input: Partial<Record<Member, unknown>>): void {
  const other = type === 'AWS_CLOUDHSM' ? 'EXTERNAL_KEY_STORE' : 'AWS_CLOUDHSM'
  const foreign = membersOf[other].find(member => input[member] !== undefined)
  if (foreign !== undefined)
    throw new Failure('Validation', `${foreign} is not valid for a custom key store of type ${type}.`)
}

/** The same for a new store, which has all members of its type. */
export function checkNewStore(type: CustomKeyStoreType, input: CreateCustomKeyStoreCommandInput): void {
  checkMembers(type, input)
  const missing = membersOf[type].find(member => !optional.includes(member) && input[member] === undefined)
  if (missing !== undefined)
    throw new Failure('Validation', `${missing} is required for a custom key store of type ${type}.`)
}

/** Throws IncorrectTrustAnchor unless it is one X.509 certificate in PEM (RFC 7468, section 5). */
export function checkTrustAnchor(pem: string): void {
  const isOne = /^\s*-----BEGIN CERTIFICATE-----\s[^-]+-----END CERTIFICATE-----\s*$/.test(pem)
  try {
    if (isOne && new X509Certificate(pem.trim()).raw.length > 0) return
  } catch {
    // Not a certificate.
  }
  throw new Failure('IncorrectTrustAnchor', 'The trust anchor certificate is not one X.509 certificate in PEM format.')
}

/** Members that UpdateCustomKeyStore may change while the store is connected. */
const adjustable: readonly (keyof UpdateCustomKeyStoreCommandInput)[] = [
  'CustomKeyStoreId',
  'NewCustomKeyStoreName',
  'XksProxyAuthenticationCredential',
  'XksProxyUriPath',
]

/** Whether a store may stay connected while the request changes it. */
export function isAdjustment(input: UpdateCustomKeyStoreCommandInput): boolean {
  const given = Object.entries(input).filter(([, value]) => value !== undefined)
  return given.every(([member]) => (adjustable as readonly string[]).includes(member))
}

/** The proxy of a store with what the request changes. Throws Failure if the result makes no sense. */
export function proxyWith(
  before: XksProxy | undefined,
  input: Omit<UpdateCustomKeyStoreCommandInput, 'CustomKeyStoreId'>,
): Omit<XksProxy, 'sealedSecret'> {
  const connectivity = input.XksProxyConnectivity ?? before!.connectivity
  const isPublic = connectivity === 'PUBLIC_ENDPOINT'
  const service = isPublic
    ? input.XksProxyVpcEndpointServiceName
    : (input.XksProxyVpcEndpointServiceName ?? before?.vpcEndpointServiceName)
  const owner = isPublic
    ? input.XksProxyVpcEndpointServiceOwner
    : (input.XksProxyVpcEndpointServiceOwner ?? before?.vpcEndpointServiceOwner)
  if (isPublic && (service ?? owner) !== undefined)
    throw new Failure('Validation', 'A VPC endpoint service is not valid with XksProxyConnectivity PUBLIC_ENDPOINT.')
  if (!isPublic && service === undefined)
    throw new Failure(
      'Validation',
      'XksProxyVpcEndpointServiceName is required with XksProxyConnectivity VPC_ENDPOINT_SERVICE.',
    )
  const uriPath = input.XksProxyUriPath ?? before!.uriPath
  if (!uriPath.endsWith('/kms/xks/v1'))
    throw new Failure('XksProxyInvalidConfiguration', 'XksProxyUriPath must end with /kms/xks/v1.')
  return {
    connectivity,
    uriEndpoint: input.XksProxyUriEndpoint ?? before!.uriEndpoint,
    uriPath,
    vpcEndpointServiceName: service,
    vpcEndpointServiceOwner: owner,
    accessKeyId: input.XksProxyAuthenticationCredential?.AccessKeyId ?? before!.accessKeyId,
  }
}

/**
 * Throws XksProxyUriEndpointInUse if a store shares the endpoint with one of the other connectivity: only stores with a public endpoint may
 * share it.
 *
 * @param others of the same region
 */
export function checkEndpoint({ id, region, xks }: CustomKeyStore, others: readonly CustomKeyStore[]): void {
  if (!xks) return
  const host = endpointHost(xks.uriEndpoint)
  const shares = (other: CustomKeyStore) =>
    other.id !== id && other.region === region && other.xks && endpointHost(other.xks.uriEndpoint) === host
  const isPrivate = ({ xks }: CustomKeyStore) => xks?.connectivity === 'VPC_ENDPOINT_SERVICE'
  if (others.some(other => shares(other) && (isPrivate(other) || xks.connectivity === 'VPC_ENDPOINT_SERVICE')))
    throw new Failure(
      'XksProxyUriEndpointInUse',
      `The endpoint ${xks.uriEndpoint} belongs to another external key store.`,
    )
}
