/** Custom key stores: KMS Developer Guide, "Custom key stores". */
import type {
  ConnectionErrorCodeType,
  ConnectionStateType,
  CustomKeyStoreType,
  XksProxyConnectivityType,
} from '@aws-sdk/client-kms'
import { Failure, type FailureCode } from '../../errors.ts'
import { endpointHost } from '../xks/uris.ts'

export type ConnectionErrorCode = ConnectionErrorCodeType
export type ConnectionState = ConnectionStateType

export interface CustomKeyStore {
  /** `cks-` and 17 lower-case hex digits. */
  readonly id: string
  readonly account: string
  readonly region: string
  /** Unique in its account and region. */
  readonly name: string
  readonly type: CustomKeyStoreType
  /** Milliseconds since the epoch. */
  readonly creationDate: number
  /** As callers see it. It stays CONNECTED while the HSM or proxy of a connected store does not answer. */
  readonly state: ConnectionState
  /** Only while the state is FAILED. */
  readonly connectionErrorCode?: ConnectionErrorCode | undefined
  /** Of type AWS_CLOUDHSM. */
  readonly cloudHsm?: CloudHsmCluster | undefined
  /** Of type EXTERNAL_KEY_STORE. */
  readonly xks?: XksProxy | undefined
  readonly revision: number
}

export interface CloudHsmCluster {
  /** Names an HSM of the configuration: `hsms.<name>.clusterId`. */
  readonly clusterId: string
  /** PEM, as it was sent. */
  readonly trustAnchorCertificate: string
  /** See vault/store-secrets.ts. Absent if passwords are kept in memory only. */
  readonly sealedPassword?: Uint8Array | undefined
}

export interface XksProxy {
  readonly connectivity: XksProxyConnectivityType
  /** `https://` and a host name. */
  readonly uriEndpoint: string
  /** From `/` to `/kms/xks/v1`. */
  readonly uriPath: string
  readonly vpcEndpointServiceName?: string | undefined
  /** Account id. */
  readonly vpcEndpointServiceOwner?: string | undefined
  readonly accessKeyId: string
  /** See vault/store-secrets.ts. */
  readonly sealedSecret: Uint8Array
}

/** Why a custom key store could not be connected. The message is for the log; callers see the code. */
export class ConnectionFailure extends Error {
  readonly code: ConnectionErrorCode

  constructor(code: ConnectionErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'ConnectionFailure'
    this.code = code
  }
}

/** KMS Developer Guide, "Troubleshooting a custom key store". @param cause why the HSM of a connected store cannot be reached */
export function keyStoreUnavailable(cause: unknown): Failure {
  return new Failure('KeyStoreUnavailable', 'KMS cannot communicate with your CloudHSM cluster.', { cause })
}

/** What happens to a store: the requests of callers, and how the work of connecting and disconnecting ends. */
export type StoreEvent =
  | 'connect'
  | 'disconnect'
  /** UpdateCustomKeyStore; `adjust` if it changes only what may change while the store is connected. */
  | 'update'
  | 'adjust'
  | 'delete'
  /** CreateKey, or GenerateRandom. */
  | 'use'
  | 'connected'
  | 'connectionFailed'
  | 'disconnected'

/** `no`: a request is refused, and the end of work is out of date. */
type Next = ConnectionState | 'DELETED' | 'no'

/** The state after each event: KMS Developer Guide, "Connecting and disconnecting a custom key store"; KMS API Reference, the operations' errors. */
// biome-ignore format: a table
const transitions: Record<ConnectionState, Record<StoreEvent, Next>> = {
  DISCONNECTED:  { connect: 'CONNECTING', disconnect: 'no',            update: 'DISCONNECTED', adjust: 'DISCONNECTED', delete: 'DELETED', use: 'no',        connected: 'no',        connectionFailed: 'no',     disconnected: 'no' },
  CONNECTING:    { connect: 'CONNECTING', disconnect: 'DISCONNECTING', update: 'no',           adjust: 'no',           delete: 'no',      use: 'no',        connected: 'CONNECTED', connectionFailed: 'FAILED', disconnected: 'no' },
  CONNECTED:     { connect: 'CONNECTED',  disconnect: 'DISCONNECTING', update: 'no',           adjust: 'CONNECTED',    delete: 'no',      use: 'CONNECTED', connected: 'CONNECTED', connectionFailed: 'FAILED', disconnected: 'no' },
  FAILED:        { connect: 'no',         disconnect: 'DISCONNECTING', update: 'no',           adjust: 'no',           delete: 'no',      use: 'no',        connected: 'no',        connectionFailed: 'no',     disconnected: 'no' },
  DISCONNECTING: { connect: 'no',         disconnect: 'no',            update: 'no',           adjust: 'no',           delete: 'no',      use: 'no',        connected: 'no',        connectionFailed: 'no',     disconnected: 'DISCONNECTED' },
}

/** The state after the event; undefined if it cannot happen in this state. */
export function nextState(state: ConnectionState, event: StoreEvent): ConnectionState | 'DELETED' | undefined {
  const next = transitions[state][event]
  return next === 'no' ? undefined : next
}

/** Throws CustomKeyStoreInvalidState if that cannot be done in the state of the store. */
export function checkStoreState({ id, state }: CustomKeyStore, event: StoreEvent): void {
  if (nextState(state, event) !== undefined) return
  throw new Failure('CustomKeyStoreInvalidState', `Custom key store ${id} is ${state}${remedies[state] ?? ''}.`)
}

const remedies: Partial<Record<ConnectionState, string>> = {
  CONNECTED: ': disconnect it first',
  FAILED: ': disconnect it first',
  DISCONNECTED: ': connect it first',
}

/** Something that only one store may have. */
export interface Claim {
  readonly kind: 'name' | 'cluster' | 'uri' | 'vpcEndpointService'
  /** Unique among the claims of all kinds. */
  readonly value: string
}

/** What no other store may have at the same time: KMS API Reference, "CreateCustomKeyStore". */
export function claimsOf({ account, region, name, cloudHsm, xks }: CustomKeyStore): readonly Claim[] {
  const claims: Claim[] = [{ kind: 'name', value: `name/${account}/${region}/${name}` }]
  if (cloudHsm) claims.push({ kind: 'cluster', value: `cluster/${cloudHsm.clusterId}` })
  if (xks) claims.push({ kind: 'uri', value: `uri/${region}/${endpointHost(xks.uriEndpoint)}${xks.uriPath}` })
  const service = xks?.vpcEndpointServiceName
  if (service !== undefined) claims.push({ kind: 'vpcEndpointService', value: `service/${region}/${service}` })
  return claims
}

/** The codes of a store that is refused because another one has what only one may have. */
export const claimCodes: Readonly<Record<Claim['kind'], FailureCode>> = {
  name: 'CustomKeyStoreNameInUse',
  cluster: 'CloudHsmClusterInUse',
  uri: 'XksProxyUriInUse',
  vpcEndpointService: 'XksProxyVpcEndpointServiceInUse',
}
