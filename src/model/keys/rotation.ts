/** Rotation of key material: KMS Developer Guide, "Rotate AWS KMS keys". Dates are milliseconds since the epoch. */
import type { AutomaticRotation, Key, KeyMaterial, Rotation } from './key.ts'
import { stateApartFromStore } from './key-state.ts'

const day = 24 * 60 * 60 * 1000
/** KMS API Reference, "EnableKeyRotation". */
export const defaultPeriodInDays = 365

/** Automatic rotation from a date on. */
export function rotationFrom(date: number, periodInDays = defaultPeriodInDays): AutomaticRotation {
  return { periodInDays, nextDate: date + periodInDays * day }
}

/** When the key is to be rotated automatically. Absent: not as long as it is as it is. A replica is rotated with its primary key. */
export function rotationDate(key: Key): number | undefined {
  if (key.multiRegion === 'REPLICA') return undefined
  return key.automaticRotation && stateApartFromStore(key) === 'Enabled' ? key.automaticRotation.nextDate : undefined
}

/**
 * The key with its next material, which was pending or is new. All others stay, so that their ciphertexts decrypt. A rotation on demand
 * leaves the schedule as it is, even if an automatic one is overdue.
 */
export function rotated(key: Key, next: KeyMaterial, rotation: Rotation): Key {
  const { automaticRotation: schedule } = key
  return {
    ...key,
    materials: [...key.materials, { ...next, rotation }],
    pendingMaterial: undefined,
    automaticRotation: schedule && rotation.type === 'AUTOMATIC' ? following(schedule, rotation.date) : schedule,
  }
}

/**
 * The schedule after a rotation. A day late, as the key was disabled meanwhile, or no gateway was running: the next one is a whole period
 * later, not soon. KMS API Reference, "GetKeyRotationStatus".
 */
function following({ periodInDays, nextDate }: AutomaticRotation, rotatedAt: number): AutomaticRotation {
  if (nextDate > rotatedAt) return { periodInDays, nextDate }
  return rotationFrom(rotatedAt - nextDate < day ? nextDate : rotatedAt, periodInDays)
}

/** Of a key that was just rotated: the materials before and after, as CloudTrail names them. */
export function rotationDetails({ materials }: Pick<Key, 'materials'>) {
  return { previousKeyMaterialId: materials.at(-2)!.id, currentKeyMaterialId: materials.at(-1)!.id }
}
