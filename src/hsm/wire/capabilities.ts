/** What a worker has found out about its token, and tells the gateway as JSON when it has started. */
import type { Lacks } from '../../model/keys/ability.ts'
import type { GcmIv } from '../profiles/profile.ts'

export interface Capabilities {
  /** Absent where the token has no AES-GCM that works. */
  readonly gcm?: Gcm
  /** What it cannot do, each with the reason. */
  readonly lacks: Lacks
}

/** How the token does AES-GCM. */
export interface Gcm {
  readonly iv: GcmIv
  /** CKM_*. */
  readonly mechanism: number
}
