import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { conditionValues } from '../../../src/model/condition-keys.ts'
import { xksConditionKeys as documented } from '../../../src/model/xks/condition-keys.ts'
import { policySubject } from '../../../src/operations/kms/policy-subject.ts'
import { xksConditionKeys } from '../../../src/operations/xks/targets.ts'

const names = documented.map(({ name }) => name)
const input = {
  prefix: '',
  externalKeyId: 'key',
  requestMetadata: {
    kmsRequestId: '1',
    kmsOperation: 'Encrypt',
    awsPrincipalArn: 'AWS Internal',
    kmsKeyArn: 'arn:aws:kms:us-east-1:111122223333:key/1',
    kmsViaService: 'ebs.us-east-1.amazonaws.com',
    awsSourceVpc: 'vpc-1',
    awsSourceVpce: 'vpce-1',
  },
}

describe('condition keys of the XKS proxy', () => {
  it('are those that are documented, to policies and to their readers', () => {
    expect(Object.keys(xksConditionKeys).sort()).toEqual([...names])
    expect(policySubject.vocabulary.conditionKeys).toEqual(expect.arrayContaining([...documented]))
    const page = readFileSync(join(import.meta.dirname, '../../../docs/policies.md'), 'utf8')
    for (const { name, type, actions } of documented)
      expect(page).toMatch(new RegExp(`^\\| .*\`${name}\`.* \\| ${type} \\| ${actions.join(', ')} \\|`, 'm'))
  })

  it('have the values of the request, in whatever case they are asked for', () => {
    const values = names.map(name => conditionValues(xksConditionKeys, name.toLowerCase(), input))
    const { requestMetadata: given } = input
    expect(values).toEqual(
      [
        given.awsPrincipalArn,
        '111122223333',
        given.kmsKeyArn,
        given.kmsOperation,
        given.kmsViaService,
        '',
        given.awsSourceVpc,
        given.awsSourceVpce,
      ].map(value => [value]),
    )
  })

  it('have no account of what is no ARN', () => {
    const requestMetadata = { ...input.requestMetadata, kmsKeyArn: 'not an ARN' }
    expect(conditionValues(xksConditionKeys, 'xks:kmskeyaccount', { ...input, requestMetadata })).toBeUndefined()
  })
})
