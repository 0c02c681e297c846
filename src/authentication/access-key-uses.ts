import type { AccessKey, AccessKeyUse } from '../model/identities/access-key.ts'
import type { Session } from '../model/identities/session.ts'

/** Last uses of access keys that are not written yet. */
export class AccessKeyUses {
  readonly #write: (uses: readonly AccessKeyUse[]) => Promise<void>
  /** By access key id. */
  #recent = new Map<string, AccessKeyUse>()

  /** @param write replaces the stored last uses of these access keys */
  constructor(write: (uses: readonly AccessKeyUse[]) => Promise<void>) {
    this.#write = write
  }

  /**
   * Called for every request with a valid signature, whether it is allowed or not: IAM User Guide, "Get last used information". Sessions
   * have none.
   */
  record(credentials: AccessKey | Session, usedAt: number, where: Omit<AccessKeyUse, 'accessKeyId' | 'usedAt'>): void {
    if ('expiresAt' in credentials) return
    const { region, service, sourceAddress } = where
    this.#recent.set(credentials.id, { accessKeyId: credentials.id, usedAt, region, service, sourceAddress })
  }

  /** Writes them. If that fails, rejects and keeps them for the next time. */
  async flush(): Promise<void> {
    const uses = this.#recent
    if (uses.size === 0) return
    this.#recent = new Map()
    try {
      await this.#write([...uses.values()])
    } catch (error) {
      this.#recent = new Map([...uses, ...this.#recent])
      throw error
    }
  }
}
