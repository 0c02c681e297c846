import type { AccessKeyRow } from './access-keys.ts'
import type { AliasRow } from './aliases.ts'
import type { ChangeRow, SequenceRow } from './changes.ts'
import type { ClockRow } from './clock.ts'
import type { DestructionRow } from './destructions.ts'
import type { KeyRow, MaterialRow } from './keys.ts'
import type { OutboxRow } from './outbox.ts'
import type { PrincipalRow } from './principals.ts'
import type { SystemKeyRow } from './system-keys.ts'

/** Every table, as the migrations have made it. */
export interface Database {
  readonly keys: KeyRow
  readonly key_materials: MaterialRow
  readonly aliases: AliasRow
  readonly principals: PrincipalRow
  readonly access_keys: AccessKeyRow
  readonly system_keys: SystemKeyRow
  readonly destructions: DestructionRow
  readonly changes: ChangeRow
  readonly outbox: OutboxRow
  readonly clock: ClockRow
  readonly sequences: SequenceRow
}
