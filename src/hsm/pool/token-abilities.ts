/** What a token can do: what its profile says, until a worker has found out. */
import { type Lacks, lacksOfAll } from '../../model/keys/ability.ts'
import { gcmIvLengths, type Profile } from '../profiles/profile.ts'
import type { Capabilities } from '../wire/capabilities.ts'

export class TokenAbilities {
  /** Bytes of the IVs of AES-GCM that it makes. */
  ivLength: number
  lacks: Lacks

  constructor({ gcmIv, lacks }: Profile) {
    this.ivLength = gcmIvLengths[gcmIv]
    this.lacks = { ...lacks, ...lacksOfAll }
  }

  /**
   * Takes over what a worker has found out. A ciphertext states the length of its IV, so all who may be given the call must make the same:
   * returns why this one may not be used, or undefined.
   *
   * @param wanted bytes of the IVs that the others make, if there are any
   */
  learn({ gcm, lacks }: Capabilities, wanted: number | undefined): string | undefined {
    if (gcm !== undefined) {
      const own = gcmIvLengths[gcm.iv]
      if (wanted !== undefined && wanted !== own)
        return `it makes AES-GCM IVs of ${own} bytes, the other workers of ${wanted}`
      this.ivLength = own
    }
    this.lacks = lacks
    return undefined
  }
}
