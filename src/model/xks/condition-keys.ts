import { documentedConditionKey as row } from '../condition-keys.ts'

const actions = ['Decrypt', 'DescribeKey', 'Encrypt']
const uses = ['Decrypt', 'Encrypt']

/** The condition keys of requests to the XKS proxy, by the actions that they need: docs/policies.md. */
// biome-ignore format: a table
export const xksConditionKeys = [
  row('xks:AwsPrincipalArn', 'ARN',    actions),
  row('xks:KmsKeyAccount',   'String', uses),
  row('xks:KmsKeyArn',       'ARN',    uses),
  row('xks:KmsOperation',    'String', actions),
  row('xks:KmsViaService',   'String', actions),
  row('xks:Prefix',          'String', actions),
  row('xks:SourceVpc',       'String', actions),
  row('xks:SourceVpce',      'String', actions),
] as const
