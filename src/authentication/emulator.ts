/** Callers of emulator mode: whoever signs a request, with whatever credentials, is an administrator. */
import { principalArn } from '../model/arn.ts'
import type { AccessKey } from '../model/identities/access-key.ts'
import type { Caller } from '../model/identities/caller.ts'
import type { User } from '../model/identities/principal.ts'
import { callerOf, type Identities } from './callers.ts'
import type { SignedRequest } from './canonical-request.ts'
import { refuseServiceHeaders } from './service-calls.ts'
import { unrecognizedClient } from './signing-keys.ts'
import { claimedCredentials, isSigned, SigV4, type SigV4Options } from './sigv4.ts'

export interface Emulation {
  /** Of callers whose access key id is not itself an account ID of 12 digits. */
  readonly account: string
  /** Whether signatures are verified, by these access keys only. */
  readonly verify: boolean
  /** Secret access keys, by access key id. */
  readonly accessKeys: Readonly<Record<string, string>>
}

/** Shorter ones than on AWS, with other characters, are common in tests. They are put on record. */
const accessKeyId = /^[!-~]{1,128}$/
const mostCallers = 1000

type Finder = (request: SignedRequest) => Promise<Caller>

/** Those who have an identity here are the same callers as in any other mode. */
export interface Stored {
  readonly stored: Finder
  /** By access key id. */
  readonly isStored: (id: string) => boolean
  readonly policiesOf: Identities['principals']['policiesOf']
}

/** @param options of one service */
export function emulating(
  { stored, isStored, policiesOf }: Stored,
  emulation: Emulation,
  options: SigV4Options,
): Finder {
  const emulated = emulatedCallers(emulation, policiesOf, options)
  return async request => {
    if (!emulation.verify && !isSigned(request)) return emulated(request)
    const { accessKeyId, sessionToken } = claimedCredentials(request)
    if (sessionToken === undefined) return (isStored(accessKeyId) ? stored : emulated)(request)
    const own = await options.unsealSession(sessionToken, accessKeyId, request.sourceAddress)
    own?.secret.fill(0)
    return (own ? stored : emulated)(request)
  }
}

function emulatedCallers(
  { account, verify, accessKeys }: Emulation,
  policiesOf: Stored['policiesOf'],
  options: SigV4Options,
): Finder {
  const listed = new Map(Object.entries(accessKeys).map(([id, secret]) => [id, accessKeyOf(id, secret)]))
  const sigV4 = new SigV4({
    ...options,
    accessKey: id => listed.get(id),
    unseal: async ({ sealedSecret }) => Uint8Array.from(sealedSecret),
    unsealSession: async () => undefined,
  })
  const emulatedCaller = (account: string, id: string, region: string) => {
    const user = emulatedUser(account)
    return callerOf(user, policiesOf(user), id, region)
  }
  /** Health checks and old tools sign nothing. */
  const nobody = { accessKeyId: account, region: [...options.regions][0]! }
  /** A caller comes back with its next request. */
  const known = new Map<string, Caller>()
  return async request => {
    const { accessKeyId: id, region } = isSigned(request) ? sigV4.claim(request) : nobody
    if (verify) await sigV4.verify(request)
    if (!accessKeyId.test(id)) throw unrecognizedClient()
    refuseServiceHeaders(request.headers)
    const name = `${id}/${region}`
    const caller = known.get(name) ?? emulatedCaller(/^\d{12}$/.test(id) ? id : account, id, region)
    if (known.size >= mostCallers) known.clear()
    known.set(name, caller)
    return caller
  }
}

/** Of a secret that is no secret. */
function accessKeyOf(id: string, secret: string): AccessKey {
  return { id, principalArn: '', sealedSecret: Buffer.from(secret), status: 'Active', revision: 0 }
}

const idPrefix = 'AIDAEMULA'

/** A user that is not stored. Policies that name it do so by its ARN. */
function emulatedUser(account: string): User {
  const name = 'emulator'
  return {
    type: 'user',
    arn: principalArn('aws', account, `user/${name}`),
    account,
    name,
    principalId: uniqueIdOf(account),
    inlinePolicies: [],
    managedPolicies: [principalArn('aws', 'aws', 'policy/AdministratorAccess')],
    groups: [],
    tags: [],
    createdAt: 0,
    revision: 0,
  }
}

/** The same principals, and those that are emulated: they may have temporary credentials. */
export function withEmulatedUsers(principals: Identities['principals']): Identities['principals'] {
  return { ...principals, withId: id => principals.withId(id) ?? emulatedUserWithId(id) }
}

/** Letters for digits, as unique ids have no zeros and ones: IAM User Guide, "Unique identifiers". */
function uniqueIdOf(account: string): string {
  return idPrefix + [...account].map(digit => String.fromCharCode('A'.charCodeAt(0) + Number(digit))).join('')
}

function emulatedUserWithId(id: string): User | undefined {
  const letters = id.startsWith(idPrefix) ? id.slice(idPrefix.length) : ''
  if (!/^[A-J]{12}$/.test(letters)) return undefined
  return emulatedUser([...letters].map(letter => letter.charCodeAt(0) - 'A'.charCodeAt(0)).join(''))
}
