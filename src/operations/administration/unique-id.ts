import { randomInt } from 'node:crypto'

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** A new unique id: IAM User Guide, "IAM identifiers". It is no secret, so that a file of thousands needs no HSM. @param prefix `AIDA` and the like */
export function uniqueId(prefix: string): string {
  return prefix + Array.from({ length: 17 }, () => alphabet[randomInt(alphabet.length)]).join('')
}
