import { KMS } from '@aws-sdk/client-kms'
import { describe, expect, it } from 'vitest'
import { findPartition, partitions } from '../../src/model/partitions.ts'

/** The domain of a region's endpoint, as the SDK knows it from the same published data. */
function domainInSdk(region: string): string {
  const { url } = new KMS({ region }).config.endpointProvider({ Region: region })
  return url.hostname.replace(`kms.${region}.`, '')
}

describe('a partition', () => {
  const published = partitions.flatMap(({ id, regions }) => regions.map(region => [region, id] as const))

  it.each(published)('of %s is %s, in the domain that the SDK has for it', (region, id) => {
    expect(findPartition(region).id).toBe(id)
    expect(findPartition(region).dnsSuffix).toBe(domainInSdk(region))
  })

  it.each([
    ['eu-newplace-7', 'aws'],
    ['mx-west-2', 'aws'],
    ['cn-south-9', 'aws-cn'],
    ['eusc-de-west-2', 'aws-eusc'],
    ['us-gov-north-1', 'aws-us-gov'],
    ['us-iso-south-1', 'aws-iso'],
    ['us-isob-north-12', 'aws-iso-b'],
    ['eu-isoe-east-1', 'aws-iso-e'],
    ['us-isof-west-1', 'aws-iso-f'],
    // No pattern fits these.
    ['eusc-fr-east-1', 'aws'],
    ['cnx-north-1', 'aws'],
    ['local-1', 'aws'],
    ['xus-iso-east-1', 'aws'],
    ['us-iso-east-1b', 'aws'],
    ['__proto__', 'aws'],
    ['', 'aws'],
  ])('of a region that is not listed, %s, is %s', (region, id) => {
    expect(findPartition(region).id).toBe(id)
    if (/^[a-z0-9-]+$/.test(region)) expect(findPartition(region).dnsSuffix).toBe(domainInSdk(region))
  })
})
