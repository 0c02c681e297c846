import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { KMS } from '@aws-sdk/client-kms'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Ended, type Gateway, home, type Installation, install, serve, strongroom } from './gateway.ts'
import { refusal } from './requests.ts'

/** Regions of several partitions behind one gateway, of which each account has all. */

const partitions = {
  'eusc-de-east-1': 'aws-eusc',
  'us-east-1': 'aws',
  'cn-northwest-1': 'aws-cn',
  'us-gov-west-1': 'aws-us-gov',
  'us-isob-east-1': 'aws-iso-b',
  'mx-central-1': 'aws',
  // Not published, but of a known form; and of none.
  'us-isof-north-9': 'aws-iso-f',
  'lab-rack-1': 'aws',
} as const
type Region = keyof typeof partitions
const regions = Object.keys(partitions) as Region[]

let installation: Installation
let initAgain: Ended
let gateway: Gateway
const clients = {} as Record<Region, KMS>
const keys = {} as Record<Region, string>

beforeAll(async () => {
  installation = await install()
  installation.configure(config => {
    config.regions = Object.fromEntries(regions.map(region => [region, 'softhsm']))
  })
  initAgain = await strongroom(['init', '--data', installation.folder, '--account', home])
  gateway = await serve(installation)
  for (const region of regions) {
    clients[region] = gateway.client({ region })
    keys[region] = (await clients[region].createKey({})).KeyMetadata!.Arn!
  }
})
afterAll(async () => {
  expect(gateway?.complaints()).toEqual([])
  await gateway?.stop()
  installation?.remove()
})

const user = (partition: string) => `arn:${partition}:iam::${home}:user/administrator`
const policyFor = (AWS: string) =>
  JSON.stringify({ Statement: { Effect: 'Allow', Principal: { AWS }, Action: 'kms:*', Resource: '*' } })

describe.each(Object.entries(partitions) as [Region, string][])('in %s, which is in %s,', (region, partition) => {
  const prefix = `arn:${partition}:kms:${region}:${home}:`

  it('keys, aliases and the account have ARNs of the partition', async () => {
    const KeyId = keys[region]
    expect(KeyId).toMatch(new RegExp(`^${prefix}key/[0-9a-f-]{36}$`))
    await clients[region].createAlias({ AliasName: 'alias/mine', TargetKeyId: KeyId })
    expect((await clients[region].listAliases({ KeyId })).Aliases![0]!.AliasArn).toBe(`${prefix}alias/mine`)
    expect((await clients[region].describeKey({ KeyId: `${prefix}alias/mine` })).KeyMetadata!.Arn).toBe(KeyId)
    const { Policy } = await clients[region].getKeyPolicy({ KeyId })
    expect(JSON.parse(Policy!).Statement[0].Principal).toEqual({ AWS: `arn:${partition}:iam::${home}:root` })
    await clients[region].putKeyPolicy({ KeyId, Policy })
    const { CiphertextBlob } = await clients[region].encrypt({ KeyId, Plaintext: Buffer.from('text') })
    expect(Buffer.from((await clients[region].decrypt({ CiphertextBlob })).Plaintext!).toString()).toBe('text')
  })

  it('an ARN of another partition names no key and no principal', async () => {
    for (const foreign of new Set(Object.values(partitions))) {
      if (foreign === partition) continue
      const KeyId = keys[region].replace(`arn:${partition}:`, `arn:${foreign}:`)
      expect(await refusal(clients[region].describeKey({ KeyId }))).toBe(`InvalidArnException: Invalid ARN '${KeyId}'`)
      const put = { KeyId: keys[region], Policy: policyFor(user(foreign)) }
      expect(await refusal(clients[region].putKeyPolicy(put))).toBe(
        'MalformedPolicyDocumentException: Policy contains a statement with one or more invalid principals.',
      )
      const RetiringPrincipal = user(foreign)
      expect(await refusal(clients[region].listRetirableGrants({ RetiringPrincipal }))).toBe(
        `InvalidArnException: Invalid ARN '${RetiringPrincipal}'`,
      )
    }
    expect((await clients[region].listRetirableGrants({ RetiringPrincipal: user(partition) })).Grants).toEqual([])
  })

  it('the caller is named, allowed and refused as a principal of the partition', async () => {
    const own = { Policy: policyFor(user(partition)) }
    const { KeyId, Arn } = (await clients[region].createKey(own)).KeyMetadata!
    await clients[region].putKeyPolicy({ KeyId, ...own })
    const nobody = { KeyId, Policy: policyFor(`arn:${partition}:iam::999988887777:user/nobody`) }
    await clients[region].putKeyPolicy({ ...nobody, BypassPolicyLockoutSafetyCheck: true })
    expect(await refusal(clients[region].disableKey({ KeyId }))).toBe(
      `AccessDeniedException: User: ${user(partition)} is not authorized to perform: kms:DisableKey on resource: ${Arn} because no resource-based policy allows the kms:DisableKey action`,
    )
    const { userIdentity } = gateway.records().findLast(({ eventName }) => eventName === 'DisableKey')!
    expect(userIdentity!.arn).toBe(user(partition))
  })

  it('the key of another region is not found, whatever its partition', async () => {
    for (const elsewhere of regions) {
      if (elsewhere === region) continue
      expect(await refusal(clients[region].describeKey({ KeyId: keys[elsewhere] }))).toBe(
        `NotFoundException: Invalid arn ${elsewhere}`,
      )
    }
  })
})

it('init finds the administrator after the first region has moved to another partition', async () => {
  const credentials = readFileSync(join(installation.folder, 'credentials'), 'utf8')
  expect(initAgain).toMatchObject({ code: 0, stderr: '' })
  expect(credentials.match(/(?<=aws_access_key_id = )\S+/g)).toEqual([installation.credentials[home]!.accessKeyId])
})
