/** What a worker found out about its token. It reports that to the gateway when it has started, as JSON. */
import type { Lacks } from '../../model/keys/ability.ts'
import type { GcmIv } from '../profiles/profile.ts'

export interface Capabilities {
  /** Absent if the token has no working AES-GCM. */
  readonly gcm?: Gcm
  /** What it does not support, each with the reason. */
  readonly lacks: Lacks
}

/** How the token implements AES-GCM. */
export interface Gcm {
  readonly iv: GcmIv
  /** CKM_*. */
  readonly mechanism: number
}
