/** Callers of emulator mode: whoever signs a request, with whatever credentials, is an administrator. */
import { partitionOf, principalArn } from '../model/arn.ts'
import type { AccessKey } from '../model/identities/access-key.ts'
import { awsManagedPolicy } from '../model/identities/aws-managed-policies.ts'
import type { Caller, UserCaller } from '../model/identities/caller.ts'
import type { SignedRequest } from './canonical-request.ts'
import { unrecognizedClient } from './signing-keys.ts'
import { claimedCredentials, SigV4, type SigV4Options } from './sigv4.ts'

export interface Emulation {
  /** Of callers whose access key id is not itself an account ID of 12 digits. */
  readonly account: string
  /** Whether signatures are verified, by these access keys only. */
  readonly verify: boolean
  /** Secret access keys, by access key id. */
  readonly accessKeys: Readonly<Record<string, string>>
}

/** As on AWS, and shorter ones: they are put on record. */
const accessKeyId = /^\w{1,128}$/
const mostCallers = 1000

type Finder = (request: SignedRequest) => Promise<Caller>

/** Those who have an identity here are the same callers as in any other mode. */
export interface Stored {
  readonly stored: Finder
  /** By access key id. */
  readonly isStored: (id: string) => boolean
}

/** @param options of one service */
export function emulating({ stored, isStored }: Stored, emulation: Emulation, options: SigV4Options): Finder {
  const emulated = emulatedCallers(emulation, options)
  return async request => {
    const { accessKeyId, sessionToken } = claimedCredentials(request)
    if (sessionToken === undefined) return (isStored(accessKeyId) ? stored : emulated)(request)
    const own = await options.unsealSession(sessionToken, accessKeyId, request.sourceAddress)
    own?.secret.fill(0)
    return (own ? stored : emulated)(request)
  }
}

function emulatedCallers({ account, verify, accessKeys }: Emulation, options: SigV4Options): Finder {
  const listed = new Map(Object.entries(accessKeys).map(([id, secret]) => [id, accessKeyOf(id, secret)]))
  const sigV4 = new SigV4({
    ...options,
    accessKey: id => listed.get(id),
    unseal: async ({ sealedSecret }) => Uint8Array.from(sealedSecret),
    unsealSession: async () => undefined,
  })
  /** A caller comes back with its next request. */
  const known = new Map<string, Caller>()
  return async request => {
    const { accessKeyId: id, region } = sigV4.claim(request)
    if (verify) await sigV4.verify(request)
    if (!accessKeyId.test(id)) throw unrecognizedClient()
    const name = `${id}/${region}`
    const caller = known.get(name) ?? administratorOf(/^\d{12}$/.test(id) ? id : account, region, id)
    if (known.size >= mostCallers) known.clear()
    known.set(name, caller)
    return caller
  }
}

/** Of a secret that is no secret. */
function accessKeyOf(id: string, secret: string): AccessKey {
  return { id, principalArn: '', sealedSecret: Buffer.from(secret), status: 'Active', revision: 0 }
}

const userName = 'emulator'

/** A user that is not stored. Policies that name it do so by its ARN. */
function administratorOf(account: string, region: string, accessKeyId: string): UserCaller {
  const partition = partitionOf(region)
  return {
    type: 'user',
    account,
    arn: principalArn(partition, account, `user/${userName}`),
    principalId: uniqueIdOf(account),
    userName,
    region,
    accessKeyId,
    policies: [awsManagedPolicy(principalArn(partition, 'aws', 'policy/AdministratorAccess'))!],
    tags: [],
  }
}

/** Letters, as unique ids have no zeros and ones: IAM User Guide, "Unique identifiers". */
function uniqueIdOf(account: string): string {
  const letters = [...account].map(digit => String.fromCharCode('A'.charCodeAt(0) + Number(digit)))
  return `AIDAEMULA${letters.join('')}`
}
