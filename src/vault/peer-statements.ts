/**
 * Journals that share storage vouch for each other: each names the others, with the block that a checkpoint of them signed last. So nobody can
 * remove a journal, or its end, without being found out by the others.
 */
import type { Peer } from '../audit/format.ts'
import type { Journal } from '../audit/journal.ts'
import type { JournalHead, RegisteredJournal, Storage } from '../storage/storage.ts'

interface PeerOptions {
  readonly journal: Pick<Journal, 'head' | 'append'>
  readonly storage: Pick<Storage, 'journals'>
  /** Milliseconds of the monotonic clock. */
  readonly elapsed: () => number
  /** Milliseconds between two looks at the others. */
  readonly interval: number
}

export class PeerStatements {
  readonly #options: PeerOptions
  /** What was written of each journal in this segment. */
  readonly #written = new Map<string, Peer>()
  #segment = 0
  #readAt: number | undefined

  constructor(options: PeerOptions) {
    this.#options = options
  }

  /** Writes statements if it has not done so for an interval: also a gateway without calls sees who comes. */
  async writeDue(): Promise<void> {
    const { elapsed, interval } = this.#options
    if (this.#readAt === undefined || elapsed() - this.#readAt >= interval) await this.write()
  }

  /** Writes a statement of each journal that has more records than when it was stated last. Without storage there is nothing to say. */
  async write(): Promise<void> {
    const { journal, storage, elapsed } = this.#options
    this.#readAt = elapsed()
    const found = await storage.journals.list().catch(() => [])
    const { journal: own, segment } = journal.head
    // Each segment has them all, so that it says enough without those before.
    if (segment !== this.#segment) this.#written.clear()
    this.#segment = segment
    const peers = found.filter(({ id, gateway }) => id !== own && gateway !== undefined).map(peerOf)
    const changed = peers.filter(peer => isNews(peer, this.#written.get(peer.journal)))
    if (changed.length === 0) return
    await journal.append(...changed.map(peer => ({ peer })))
    for (const peer of changed) this.#written.set(peer.journal, peer)
  }

  /** Tells the others what a checkpoint of this journal has signed. */
  async publish(head: JournalHead): Promise<void> {
    const { journal, storage } = this.#options
    await storage.journals.writeHead(journal.head.journal, head).catch(() => undefined)
  }
}

/** The blocks between records are statements and checkpoints: two gateways without calls would answer each other forever. */
function isNews({ record, gateway }: Peer, written: Peer | undefined): boolean {
  return written?.record !== record || written.gateway !== gateway
}

function peerOf({ id, gateway, registeredAt, head }: RegisteredJournal): Peer {
  const since = new Date(registeredAt).toISOString()
  const { segment, block, record, hash } = head ?? { segment: 0, block: 0, record: 0, hash: '' }
  return { journal: id, gateway: gateway!, since, segment, block, record, hash }
}
