import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { type Figure, median } from './figure.ts'
import { DataFolder } from './gateway.ts'

const main = join(import.meta.dirname, '../../src/main.ts')
const account = '000000000000'

/** `strongroom identity apply` of 1,000 identities through a running gateway: all new, all changed, and nothing to do. */
export async function applyIdentities(): Promise<Figure> {
  const folder = new DataFolder()
  const gateway = await folder.serve()
  const file = join(folder.path, 'identities.yaml')
  const apply = (generation: string) => {
    writeFileSync(file, fileOf(generation))
    const begun = performance.now()
    execFileSync(process.execPath, [main, 'identity', 'apply', file, '--yes', '--data', folder.path], {
      maxBuffer: 1e8,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    return (performance.now() - begun) / 1000
  }
  const added = apply('0')
  const changed = median(['1', '2', '3'].map(apply))
  const unchanged = apply('3')
  await gateway.stop()
  folder.remove()
  return {
    name: 'apply of 1,000 identities',
    value: Math.max(added, changed),
    unit: 's',
    reach: { atMost: 5 },
    details: `added ${added.toFixed(2)} s, changed ${changed.toFixed(2)} s, nothing to do ${unchanged.toFixed(2)} s`,
  }
}

/** 50 policies, 50 groups, 600 users and 300 roles that users may assume. */
function fileOf(generation: string): string {
  const entries = (count: number, prefix: string, entry: (number: number) => object) =>
    Object.fromEntries(Array.from({ length: count }, (_, number) => [`${prefix}-${number}`, entry(number)]))
  const policy = (rest: object) => ({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', ...rest }] })
  const Action = ['kms:Encrypt', 'kms:Decrypt']
  const Condition = { StringEquals: { 'aws:PrincipalTag/generation': generation } }
  const written = {
    policies: entries(50, 'policy', () => ({ document: policy({ Action, Resource: '*', Condition }) })),
    groups: entries(50, 'group', number => ({
      policies: [`policy-${number}`],
      inlinePolicies: { own: policy({ Action, Resource: '*', Condition }) },
    })),
    users: entries(600, 'user', number => ({ groups: [`group-${number % 50}`], tags: { generation } })),
    roles: entries(300, 'role', number => ({
      trustPolicy: policy({
        Principal: { AWS: `arn:aws:iam::${account}:user/user-${number}` },
        Action: 'sts:AssumeRole',
        Condition,
      }),
      policies: [`policy-${number % 50}`],
      tags: { generation },
    })),
  }
  return stringify({ accounts: { [account]: written } }, { aliasDuplicateObjects: false })
}
