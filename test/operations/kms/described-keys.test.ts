import type { KeyMetadata, OriginType } from '@aws-sdk/client-kms'
import { describe, expect, it } from 'vitest'
import type { Key } from '../../../src/model/keys/key.ts'
import { keyMetadata } from '../../../src/model/keys/key-metadata.ts'
import { keySpecs, type SupportedKeySpec } from '../../../src/model/keys/key-spec.ts'
import { getKeyRotationStatus } from '../../../src/operations/kms/rotation/get-key-rotation-status.ts'
import { aKey, aMaterial } from '../../storage/records.ts'

/** What scanners and Terraform read of keys of every spec, in every state. Which reads are refused: rotation-states.test.ts. */

const [creation, deletion, expiry, rotation] = [1, 2, 3, 4].map(number => 1_700_000_000_000 + number) as [
  number,
  number,
  number,
  number,
]

const states = {
  Enabled: {},
  Disabled: { state: 'Disabled' },
  PendingDeletion: { state: 'PendingDeletion', deletionDate: deletion },
  PendingReplicaDeletion: { state: 'PendingReplicaDeletion', pendingWindowInDays: 9 },
  Unavailable: { custodyFault: 'missing' },
} satisfies Record<string, Partial<Key>>

type Read = Partial<KeyMetadata>

function read(spec: SupportedKeySpec, origin: OriginType, rest: Partial<Key>): Read {
  const usage = keySpecs[spec].usages[0]!
  const key = aKey(1, { spec, usage, origin, creationDate: creation, ...rest })
  const { KeyState, Enabled, DeletionDate, CurrentKeyMaterialId, ExpirationModel, ValidTo, Origin, KeyManager } =
    keyMetadata(key, () => undefined)
  return { KeyState, Enabled, DeletionDate, CurrentKeyMaterialId, ExpirationModel, ValidTo, Origin, KeyManager }
}

async function status(key: Key): Promise<unknown> {
  return getKeyRotationStatus.run({ target: { key } } as never)
}

describe.each(Object.keys(keySpecs) as SupportedKeySpec[])('%s', spec => {
  const isSymmetric = keySpecs[spec].type === 'symmetric'
  const id = isSymmetric ? aMaterial(1).id : undefined
  const common = { DeletionDate: undefined, ExpirationModel: undefined, ValidTo: undefined, KeyManager: 'CUSTOMER' }

  it.each(Object.entries(states))('%s', async (state, rest: Partial<Key>) => {
    const DeletionDate = state === 'PendingDeletion' ? new Date(deletion) : undefined
    const told = { ...common, KeyState: state, Enabled: state === 'Enabled', DeletionDate, CurrentKeyMaterialId: id }
    expect(read(spec, 'AWS_KMS', rest)).toEqual({ ...told, Origin: 'AWS_KMS' })
    const materials = [{ ...aMaterial(1), imported: { validTo: expiry } }]
    const expires = { ExpirationModel: 'KEY_MATERIAL_EXPIRES', ValidTo: new Date(expiry) }
    expect(read(spec, 'EXTERNAL', { ...rest, materials })).toEqual({ ...told, ...expires, Origin: 'EXTERNAL' })
    const lasting = [{ ...aMaterial(1), imported: {} }]
    const lasts = { ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE' }
    expect(read(spec, 'EXTERNAL', { ...rest, materials: lasting })).toEqual({ ...told, ...lasts, Origin: 'EXTERNAL' })

    const automaticRotation = { periodInDays: 180, nextDate: rotation }
    const key = aKey(1, { spec, ...rest, ...(isSymmetric && { automaticRotation }) })
    const rotates = isSymmetric && !state.startsWith('Pending')
    expect(await status(key)).toEqual({
      KeyId: key.arn,
      KeyRotationEnabled: rotates,
      ...(rotates && { RotationPeriodInDays: 180, NextRotationDate: new Date(rotation) }),
    })
  })

  it('PendingImport, before the first import and after the deletion of its material', () => {
    const told = { ...common, KeyState: 'PendingImport', Enabled: false, Origin: 'EXTERNAL' }
    expect(read(spec, 'EXTERNAL', { materials: [] })).toEqual({ ...told, CurrentKeyMaterialId: undefined })
    const materials = [{ ...aMaterial(1), object: undefined, imported: {} }]
    for (const state of ['Enabled', 'Disabled'] as const)
      expect(read(spec, 'EXTERNAL', { materials, state })).toEqual({ ...told, CurrentKeyMaterialId: id })
  })
})
