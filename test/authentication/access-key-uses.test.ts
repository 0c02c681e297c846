import { beforeEach, expect, it } from 'vitest'
import { AccessKeyUses } from '../../src/authentication/access-key-uses.ts'
import type { AccessKeyUse } from '../../src/model/identities/access-key.ts'
import { anAccessKey, aPrincipal } from '../storage/records.ts'

const user = aPrincipal('someone')
const first = anAccessKey('AKIAFIRST', user)
const second = anAccessKey('AKIASECOND', user)
const where = { region: 'us-east-1', service: 'kms', sourceAddress: '192.0.2.1' }
const use = (accessKeyId: string, usedAt: number, rest: Partial<typeof where> = {}) => {
  return { accessKeyId, usedAt, ...where, ...rest }
}

let written: (readonly AccessKeyUse[])[]
let onWrite: () => void
let uses: AccessKeyUses
beforeEach(() => {
  written = []
  onWrite = () => {}
  uses = new AccessKeyUses(async batch => {
    onWrite()
    written.push(batch)
  })
})

it('writes the last use of each access key once', async () => {
  uses.record(first, 1, where)
  uses.record(second, 2, where)
  uses.record(first, 3, { ...where, service: 'sts', region: 'eu-west-1' })
  await uses.flush()
  await uses.flush()
  expect(written).toEqual([[use('AKIAFIRST', 3, { service: 'sts', region: 'eu-west-1' }), use('AKIASECOND', 2)]])
})

it('does not regard sessions', async () => {
  const session = { accessKeyId: 'ASIAFIRST', principalId: user.principalId, issuedAt: 1, expiresAt: 2 }
  uses.record(session, 1, where)
  await uses.flush()
  expect(written).toEqual([])
})

it('keeps what could not be written, but for what is newer', async () => {
  uses.record(first, 1, where)
  uses.record(second, 2, where)
  onWrite = () => {
    uses.record(second, 3, where)
    throw new Error('the disk is full')
  }
  await expect(uses.flush()).rejects.toThrow('the disk is full')
  onWrite = () => {}
  await uses.flush()
  expect(written).toEqual([[use('AKIAFIRST', 1), use('AKIASECOND', 3)]])
})
