import type { KeyUsageType, OriginType } from '@aws-sdk/client-kms'
import { describe, expect, it } from 'vitest'
import type { Key } from '../../../src/model/keys/key.ts'
import { keySpecs, type SupportedKeySpec } from '../../../src/model/keys/key-spec.ts'
import { operations } from '../../../src/operations/kms/catalogue.ts'
import type { KeyTarget } from '../../../src/operations/kms/targets.ts'
import type { AnyOperation } from '../../../src/operations/operation.ts'
import type { Storage } from '../../../src/services.ts'
import { aUser } from '../../authorization/users.ts'
import { account, aKey, aMaterial, region } from '../../storage/records.ts'

/** KMS Developer Guide, "Key states of AWS KMS keys", of the operations of rotation, for every key spec. */

const states = {
  Enabled: {},
  Disabled: { state: 'Disabled' },
  PendingDeletion: { state: 'PendingDeletion', deletionDate: 2_000_000_000_000 },
  PendingImport: { materials: [] },
  'PendingImport of one material': { materials: [{ ...aMaterial(1), object: undefined }, aMaterial(2)] },
  Unavailable: { custodyFault: 'missing' },
} satisfies Record<string, Partial<Key>>
type State = keyof typeof states

const caller = { ...aUser(`arn:aws:iam::${account}:user/alice`, []), region }

/** What the operation says to a key, before it runs. */
async function outcome(name: string, key: Key): Promise<string> {
  const operation: AnyOperation = operations.find(operation => operation.name === name)!
  const storage = {
    keys: { find: () => key },
    aliases: { ofKey: () => [] },
    customKeyStores: { ofKey: () => undefined },
    principals: { withId: () => undefined, isKnown: () => false },
  } as unknown as Storage
  const search = { caller, storage, operation: name, hsms: undefined as never }
  const target = (await operation.target.find({ KeyId: key.id }, search)) as KeyTarget
  try {
    target.check()
    return 'ok'
  } catch (error) {
    const { code, message } = error as { code: string; message: string }
    return `${code}: ${message.replace(key.arn, 'KEY')}`
  }
}

const D = 'Disabled: KEY is disabled.'
const P = 'InvalidState: KEY is pending deletion.'
const I = 'InvalidState: KEY is pending import.'
const U = 'InvalidState: KEY is unavailable.'
/** Of the key spec, without text, as recorded. */
const S = 'UnsupportedOperation: '
/** Of the origin. */
const O = 'UnsupportedOperation: KEY origin is EXTERNAL which is not valid for this operation.'

type Outcomes = readonly [enabled: string, disabled: string, pendingDeletion: string, unavailable: string]
type Row = readonly [operation: string, symmetric: Outcomes, other: Outcomes]

// biome-ignore format: a table
const generated: readonly Row[] = [
  ['EnableKeyRotation',    ['ok', D,    P,    'ok'], [S,    D,    P,    S]],
  ['DisableKeyRotation',   ['ok', D,    P,    'ok'], ['ok', D,    P,    'ok']],
  ['GetKeyRotationStatus', ['ok', 'ok', 'ok', 'ok'], ['ok', 'ok', 'ok', 'ok']],
  ['RotateKeyOnDemand',    ['ok', D,    P,    U],    [S,    D,    P,    U]],
  ['ListKeyRotations',     ['ok', 'ok', 'ok', 'ok'], [S,    S,    S,    S]],
]
// biome-ignore format: a table
const imported: readonly Row[] = [
  ['EnableKeyRotation',    [O,    O,    O,    O],    [O,    O,    O,    O]],
  ['DisableKeyRotation',   [O,    O,    O,    O],    [O,    O,    O,    O]],
  ['GetKeyRotationStatus', [O,    O,    O,    O],    [O,    O,    O,    O]],
  ['RotateKeyOnDemand',    ['ok', D,    P,    U],    [S,    D,    P,    U]],
  ['ListKeyRotations',     ['ok', 'ok', 'ok', 'ok'], [S,    S,    S,    S]],
]
const inState: readonly State[] = ['Enabled', 'Disabled', 'PendingDeletion', 'Unavailable']

const kinds = (Object.keys(keySpecs) as SupportedKeySpec[]).map(spec => [spec, keySpecs[spec].usages[0]!] as const)

describe.each(kinds)('%s', (spec, usage) => {
  const key = (origin: OriginType, state: State) =>
    aKey(1, { spec, usage: usage as KeyUsageType, origin, ...states[state] })
  const column = keySpecs[spec].type === 'symmetric' ? 1 : 2

  it.each(generated)('%s, generated', async (...row) => {
    const outcomes = inState.map(state => outcome(row[0], key('AWS_KMS', state)))
    expect(await Promise.all(outcomes)).toEqual(row[column])
  })

  it.each(imported)('%s, imported', async (...row) => {
    const outcomes = inState.map(state => outcome(row[0], key('EXTERNAL', state)))
    expect(await Promise.all(outcomes)).toEqual(row[column])
  })

  it.each(['PendingImport', 'PendingImport of one material'] as const)('%s', async state => {
    const of = (name: string) => outcome(name, key('EXTERNAL', state))
    for (const name of ['EnableKeyRotation', 'DisableKeyRotation', 'GetKeyRotationStatus'])
      expect(await of(name)).toBe(O)
    expect(await of('RotateKeyOnDemand')).toBe(I)
    expect(await of('ListKeyRotations')).toBe(column === 1 ? 'ok' : S)
  })
})
