/** What a token can do: according to its profile, until a worker has probed it. */
import { type Lacks, lacksOfAll } from '../../model/keys/ability.ts'
import { gcmIvLengths, type Profile } from '../profiles/profile.ts'
import type { Capabilities } from '../wire/capabilities.ts'
import { decodeJson } from '../wire/messages.ts'

export class TokenAbilities {
  /** Bytes of its AES-GCM IVs. */
  ivLength: number
  lacks: Lacks

  constructor({ gcmIv, lacks }: Profile) {
    this.ivLength = gcmIvLengths[gcmIv]
    this.lacks = { ...lacks, ...lacksOfAll }
  }

  /**
   * Adopts what a worker found. A ciphertext states the length of its IV, so every worker that may get the call has to use the same length:
   * returns why this worker may not be used, or undefined.
   *
   * @param wanted bytes of the IVs of the other workers, if there are any
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

/** Throws an Error for a payload that is none. */
export function decodeCapabilities(payload: Buffer): Capabilities {
  const sent = decodeJson<Capabilities | null>(payload)
  const isNone = typeof sent?.lacks !== 'object' || sent.lacks === null
  if (isNone || (sent.gcm !== undefined && !Object.hasOwn(gcmIvLengths, sent.gcm?.iv)))
    throw new TypeError('malformed capabilities')
  return sent
}
