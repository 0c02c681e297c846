import { randomBytes } from 'node:crypto'
import { decide } from '../../src/authorization/decide.ts'
import { fittingGrant } from '../../src/authorization/grants.ts'
import type { AccessRequest } from '../../src/authorization/request.ts'
import type { Grant, GrantPrincipal } from '../../src/model/keys/grant.ts'
import { defaultKeyPolicy } from '../../src/model/keys/key.ts'
import { GrantsView } from '../../src/storage/grants-view.ts'
import { type Figure, median } from './figure.ts'

const account = '111122223333'
const keyArn = `arn:aws:kms:us-east-1:${account}:key/1234abcd-12ab-34cd-56ef-1234567890ab`
const principal = {
  arn: `arn:aws:sts::${account}:assumed-role/volumes/host`,
  roleArn: `arn:aws:iam::${account}:role/service/volumes`,
  account,
  principalId: 'AROAVOLUMES:host',
}
const request: AccessRequest = { principal, action: 'kms:Decrypt', resource: keyArn, account, context: () => undefined }
const policies = { identity: [], resource: { text: defaultKeyPolicy(account, 'aws') } }

const grants = 10_000
const decisions = 20_000

/**
 * The time of a decision on a key with 10,000 grants to the caller's role, each for another encryption context, one of which allows the
 * request; against that on a key without grants, which denies it.
 */
export async function decideAmongGrants(): Promise<Figure> {
  const [none, many] = [new GrantsView(), new GrantsView()]
  for (let number = 0; number < grants; number++) many.put(aGrant(number))
  const times: [number[], number[]] = [[], []]
  for (let round = 0; round < 20; round++) {
    times[0].push(timeOf(none, false))
    times[1].push(timeOf(many, true))
  }
  const [without, among] = times.map(median) as [number, number]
  return {
    name: 'decision on a key with 10,000 grants / with none',
    value: among / without,
    unit: '',
    reach: { atMost: 2 },
    details: `${among.toFixed(2)} µs against ${without.toFixed(2)} µs`,
  }
}

/** Microseconds for each decision. */
function timeOf(view: GrantsView, allowed: boolean): number {
  const before = performance.now()
  for (let i = 0; i < decisions; i++) {
    const constraints = { EncryptionContextEquals: { volume: `vol-${i % grants}` } }
    const find = (grantee: GrantPrincipal) => view.search({ keyArn, grantee, operation: 'Decrypt', constraints })
    const grant = () => fittingGrant(principal, find)
    if (decide(request, { ...policies, grant }).allowed !== allowed) throw new Error(`the decision is not ${allowed}`)
  }
  return ((performance.now() - before) * 1000) / decisions
}

function aGrant(number: number): Grant {
  return {
    id: randomBytes(32).toString('hex'),
    keyArn,
    region: 'us-east-1',
    grantee: { arn: principal.roleArn, uniqueId: 'AROAVOLUMES' },
    issuingAccount: account,
    operations: ['Decrypt', 'GenerateDataKeyWithoutPlaintext', 'CreateGrant', 'DescribeKey'],
    constraints: { EncryptionContextSubset: { volume: `vol-${number}` } },
    creationDate: 0,
    revision: 1,
  }
}
