import { decide } from '../../src/authorization/decide.ts'
import type { AccessRequest } from '../../src/authorization/request.ts'
import { inLoops } from './calibration.ts'
import type { Figure } from './figure.ts'

const account = '111122223333'
const role = `arn:aws:iam::${account}:role/orders`
const longest = 32_768

const context = new Map([
  ['kms:encryptioncontext:app', ['orders']],
  ['kms:encryptioncontext:team', ['sales']],
])

const request: AccessRequest = {
  principal: {
    arn: `arn:aws:sts::${account}:assumed-role/orders/worker-1`,
    roleArn: role,
    account,
    principalId: 'AROAEXAMPLE0000000001:worker-1',
  },
  action: 'kms:Decrypt',
  resource: `arn:aws:kms:eu-west-1:${account}:key/1234abcd-12ab-34cd-56ef-1234567890ab`,
  account,
  context: name => context.get(name),
}

const use = ['kms:Encrypt', 'kms:Decrypt', 'kms:ReEncrypt*', 'kms:GenerateDataKey*', 'kms:DescribeKey']

/** One that lets the role use the key, by an encryption context. */
const allow = {
  Sid: 'Allow use of the key',
  Effect: 'Allow',
  Principal: { AWS: [role, `arn:aws:iam::${account}:user/alice`] },
  Action: use,
  Resource: '*',
  Condition: { StringEquals: { 'kms:EncryptionContext:app': 'orders' } },
}

/** What the console of AWS writes, with a condition. */
const typical = policy([
  {
    Sid: 'Enable IAM User Permissions',
    Effect: 'Allow',
    Principal: { AWS: `arn:aws:iam::${account}:root` },
    Action: 'kms:*',
    Resource: '*',
  },
  {
    Sid: 'Allow access for Key Administrators',
    Effect: 'Allow',
    Principal: { AWS: `arn:aws:iam::${account}:role/admin` },
    Action: ['Create', 'Describe', 'Enable', 'List', 'Put', 'Update', 'Disable', 'Get', 'Delete'].map(
      verb => `kms:${verb}*`,
    ),
    Resource: '*',
  },
  allow,
  {
    Sid: 'Allow attachment of persistent resources',
    Effect: 'Allow',
    Principal: { AWS: role },
    Action: ['kms:CreateGrant', 'kms:ListGrants', 'kms:RevokeGrant'],
    Resource: '*',
    Condition: { Bool: { 'kms:GrantIsForAWSResource': 'true' } },
  },
])

/** A statement for each of many teams, every tenth a Deny, and what allows behind all of them. */
function manyTeams(): string {
  const statements: object[] = [allow]
  for (let team = 0; policy(statements).length < longest - 400; team++) {
    statements.unshift({
      Sid: `Team ${team}`,
      Effect: team % 10 === 9 ? 'Deny' : 'Allow',
      Principal: { AWS: [`arn:aws:iam::${account}:role/team-${team}`, `arn:aws:iam::${account}:role/deploy-${team}`] },
      Action: use,
      Resource: '*',
      Condition: { StringEquals: { 'kms:EncryptionContext:team': `team-${team}` } },
    })
  }
  return policy(statements)
}

/** As many conditions as fit, all of which are evaluated. */
function manyConditions(): string {
  const statements: object[] = [allow]
  for (let team = 0; policy(statements).length < longest - 150; team++) {
    const Condition = { StringEquals: { 'kms:EncryptionContext:team': `t${team}` } }
    statements.unshift({ Effect: 'Allow', Principal: '*', Action: 'kms:Decrypt', Resource: '*', Condition })
  }
  return policy(statements)
}

function policy(statements: readonly object[]): string {
  return JSON.stringify({ Version: '2012-10-17', Statement: statements })
}

/** A decision by a key policy, in loops of calibration.ts: 3 us and 30 us on the machine that is meant there. */
export async function decisions(): Promise<Figure[]> {
  return [
    figure('Decision by a key policy of 4 statements', typical, 1000, 0.26),
    figure('Decision by a key policy of 32 KB', manyTeams(), 100, 2.6),
    figure('Decision by a key policy of 32 KB, all conditions', manyConditions(), 100, 2.6),
  ]
}

function figure(name: string, text: string, calls: number, atMost: number): Figure {
  const policies = { identity: [], resource: { text } }
  if (!decide(request, policies).allowed) throw new Error(`the policy of "${name}" denies`)
  const value = inLoops(() => decide(request, policies), calls)
  return { name, value, unit: 'loops', reach: { atMost }, details: `${text.length} characters` }
}
