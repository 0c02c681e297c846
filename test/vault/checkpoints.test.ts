import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { checkpointIn, fingerprintOf, signingKeyIn, TrustedKeys } from '../../src/audit/checkpoint.ts'
import { blockOf, type Checkpoint, type Head, isRecord, type Line } from '../../src/audit/format.ts'
import type { Follower } from '../../src/audit/journal.ts'
import { ensureAuditKey, type Installation } from '../../src/cli/administrator.ts'
import { Failure, OperatorError } from '../../src/errors.ts'
import { destroyObjects } from '../../src/jobs/destroy-objects.ts'
import { signCheckpoints } from '../../src/jobs/sign-checkpoints.ts'
import { objectOf } from '../../src/model/keys/key.ts'
import { rotateAuditKey } from '../../src/operations/administration/rotate-audit-key.ts'
import type { Services } from '../../src/services.ts'
import { Changes, Conflict } from '../../src/storage/storage.ts'
import { auditKey, auditPublicKey, createAuditKey } from '../../src/vault/audit-key.ts'
import { JournalCheckpoints } from '../../src/vault/checkpoints.ts'
import { aRecord, noBlock } from '../audit/records.ts'
import { createSoftHsm, type SoftHsm } from '../hsm/softhsm.ts'
import { type Fixture, openFixture } from '../jobs/fixture.ts'

const minute = 60_000

/** A journal of blocks of one line each. */
class ListedJournal {
  head: Head = noBlock
  lines: Line[] = []
  readonly #followers: Follower[] = []

  async append(line: Line): Promise<void> {
    this.head = blockOf(`${JSON.stringify(line)}\n`, isRecord(line) ? 1 : 0, this.head).head
    this.lines.push(line)
    for (const follower of this.#followers) follower({ head: this.head, lines: [line], offset: 0, length: 0 })
  }

  follow(follower: Follower): void {
    this.#followers.push(follower)
  }

  /** The next block is in another segment. */
  endSegment(): Head {
    const end = this.head
    this.head = { ...end, segment: end.segment + 1 }
    return end
  }

  get checkpoints(): Checkpoint[] {
    return this.lines.flatMap(line => checkpointIn(JSON.stringify(line)) ?? [])
  }

  /** What somebody finds who reads the whole journal and trusts a key. */
  outcomes(publicKey: Uint8Array): string[] {
    const trusted = new TrustedKeys([publicKey])
    return this.lines.map(line => {
      const text = JSON.stringify(line)
      const [checkpoint, change] = [checkpointIn(text), signingKeyIn(text)]
      if (change) return `change ${trusted.change(change)}`
      return checkpoint ? `checkpoint ${trusted.check(checkpoint)}` : 'record'
    })
  }
}

let fixture: Fixture
let other: SoftHsm
let journal: ListedJournal

beforeAll(async () => {
  fixture = await openFixture()
  other = await createSoftHsm()
  await createAuditKey(fixture.hsm, vault(), { command: 'test' })
})
beforeEach(() => {
  journal = new ListedJournal()
  fixture.records.length = 0
  fixture.logged.length = 0
})
afterAll(async () => {
  await fixture?.close()
  other?.remove()
})

const vault = () => ({ ...fixture.services, clock: () => fixture.time })
const names = () => fixture.hsms.all.map(({ name }) => name)
const current = () => auditKey(names(), fixture.storage)!
const elapse = (time: number) => (fixture.time += time)

function checkpointsOf(changes: Partial<Services> = {}): JournalCheckpoints {
  return new JournalCheckpoints({ ...vault(), ...changes, journal, elapsed: () => fixture.time, interval: minute })
}

function altered<T extends object>(target: T, members: Partial<T>): T {
  return new Proxy(target, {
    get(_, name) {
      const member = members[name as keyof T] ?? target[name as keyof T]
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
}

/** HSMs whose signatures are what a function makes of the right ones. */
function signingAs(change: (signature: Uint8Array) => Uint8Array | Promise<Uint8Array>): Services['hsms'] {
  const hsms: Services['hsms'] = altered<Services['hsms']>(fixture.hsms, {
    for: () => hsms,
    named: name => {
      const hsm = fixture.hsms.named(name)
      return altered(hsm, { sign: async (...call) => change(await hsm.sign(...call)) })
    },
  })
  return hsms
}

async function rotate(input: { formerKeyLost?: boolean } = {}) {
  const changes = new Changes()
  const services = vault() as unknown as Parameters<typeof rotateAuditKey.run>[0]
  const rotated = await rotateAuditKey.run({ ...services, input: { formerKeyLost: false, ...input }, changes })
  await fixture.storage.commit(changes)
  return rotated!
}

describe('checkpoints of the audit journal', () => {
  it('are signed at the start, and then only for new blocks, each within the interval', async () => {
    const checkpoints = checkpointsOf()
    await journal.append(aRecord(1))
    await checkpoints.signDue()
    const [first] = journal.checkpoints
    expect(first).toMatchObject({ block: 1, record: 1, key: fingerprintOf(auditPublicKey(current())) })
    // Its own block is none to sign.
    elapse(10 * minute)
    await checkpoints.signDue()
    expect(journal.checkpoints).toEqual([first])
    expect(checkpoints).toMatchObject({ unsignedFor: 0, lastTime: fixture.time - 10 * minute })

    await journal.append(aRecord(2))
    elapse(minute - 1)
    await checkpoints.signDue()
    expect(journal.checkpoints).toEqual([first])
    expect(checkpoints.unsignedFor).toBe(minute - 1)
    elapse(1)
    await checkpoints.signDue()
    expect(journal.checkpoints).toMatchObject([first, { block: 3, record: 2 }])
    expect(journal.outcomes(auditPublicKey(current()))).toEqual([
      'record',
      'checkpoint valid',
      'record',
      'checkpoint valid',
    ])
  })

  it('are signed for what was written while the last one was being signed', async () => {
    const hsms = signingAs(async signature => {
      await journal.append(aRecord(2))
      return signature
    })
    await journal.append(aRecord(1))
    const checkpoints = checkpointsOf({ hsms })
    await checkpoints.signDue()
    expect(journal.checkpoints).toMatchObject([{ block: 1 }])
    elapse(minute)
    await checkpoints.signDue()
    expect(journal.checkpoints).toMatchObject([{ block: 1 }, { block: 3 }])
  })

  it('sign the last block of each segment at once', async () => {
    const checkpoints = checkpointsOf()
    await journal.append(aRecord(1))
    await checkpoints.signDue()
    await journal.append(aRecord(2))
    const ends = [journal.endSegment()]
    await journal.append(aRecord(3))
    ends.push(journal.endSegment())
    await journal.append(aRecord(4))
    await checkpoints.signDue()
    const expected = ends.map(({ segment, block, hash }) => ({ segment, block, hash }))
    expect(journal.checkpoints.slice(1)).toMatchObject([...expected, { segment: 3 }])
  })

  it('sign the last block of a segment once, if the segment ends while it is being signed', async () => {
    const hsms = signingAs(async signature => {
      if (journal.checkpoints.length === 0 && journal.head.segment === 1) {
        journal.endSegment()
        await journal.append(aRecord(2))
      }
      return signature
    })
    await journal.append(aRecord(1))
    const checkpoints = checkpointsOf({ hsms })
    await checkpoints.signDue()
    await checkpoints.signDue()
    expect(journal.checkpoints).toMatchObject([
      { segment: 1, block: 1 },
      { segment: 2, block: 3 },
    ])
  })

  it('are late while the HSM is unavailable, and go on by themselves', async () => {
    let away = true
    const hsms = signingAs(signature => {
      if (away) throw new Failure('KeyUnavailable')
      return signature
    })
    const checkpoints = checkpointsOf({ hsms })
    const found: number[] = []
    const metrics = { ...fixture.services.metrics, checkpoints: () => found.push(checkpoints.unsignedFor) }
    const run = signCheckpoints.start({ ...fixture.services, checkpoints, metrics })
    await journal.append(aRecord(1))
    const end = journal.endSegment()
    await journal.append(aRecord(2))
    for (let times = 0; times < 3; times++) {
      await run()
      elapse(minute)
    }
    expect(found.at(-1)).toBe(2 * minute)
    away = false
    await run()
    expect(found.at(-1)).toBe(0)
    expect(fixture.logged.map(({ event }) => event)).toEqual(['checkpoint_failed', 'checkpoint_recovered'])
    expect(journal.checkpoints).toMatchObject([{ block: end.block }, { block: 3 }])
  })

  it('are not written if what the HSM returned is not their signature', async () => {
    await journal.append(aRecord(1))
    const wrong = [
      (signature: Uint8Array) => signature.with(signature.length - 1, signature.at(-1)! ^ 1),
      (signature: Uint8Array) => signature.subarray(1),
      () => new Uint8Array(),
    ]
    for (const change of wrong) await expect(checkpointsOf({ hsms: signingAs(change) }).sign()).rejects.toThrow()
    expect(journal.lines).toHaveLength(1)
  })

  it('are not written so late that nobody keeps the hash of what they sign', async () => {
    let outage = true
    const hsms = signingAs(signature => {
      if (outage) throw new Failure('KeyUnavailable')
      return signature
    })
    const checkpoints = checkpointsOf({ hsms })
    await journal.append(aRecord(1))
    journal.endSegment()
    await journal.append(aRecord(2))
    await expect(checkpoints.signDue()).rejects.toThrow()
    journal.head = { ...journal.head, block: 70_000 }
    await journal.append(aRecord(3))
    outage = false
    await checkpoints.signDue()
    expect(journal.checkpoints).toMatchObject([{ block: 70_001 }])
  })
})

describe('a new audit key', () => {
  it('is signed by the former one, which is destroyed, and is introduced in each segment', async () => {
    const checkpoints = checkpointsOf()
    const former = current()
    await journal.append(aRecord(1))
    await checkpoints.signDue()
    const rotated = await rotate()
    expect(rotated).toMatchObject({
      fingerprint: fingerprintOf(auditPublicKey(current())),
      previousFingerprint: fingerprintOf(auditPublicKey(former)),
    })
    // Not only when the interval is over.
    await journal.append(aRecord(2))
    await checkpoints.signDue()
    const introduced = ['change valid', 'checkpoint valid']
    expect(journal.outcomes(auditPublicKey(former))).toEqual(['record', 'checkpoint valid', 'record', ...introduced])

    await destroyObjects.start(fixture.services)()
    expect(await fixture.objects()).toEqual([objectOf(current().material).id])

    const segments = journal.lines.length
    journal.endSegment()
    await journal.append(aRecord(3))
    elapse(minute)
    await checkpoints.signDue()
    journal.lines.splice(0, segments)
    const outcomes = ['record', ...introduced, 'checkpoint valid']
    expect(journal.outcomes(auditPublicKey(former))).toEqual(outcomes)
    // Whoever trusts the new one only cannot tell who has signed the change, and need not.
    expect(journal.outcomes(auditPublicKey(current()))).toEqual(outcomes.with(1, 'change unknownKey'))
  })

  it('can be trusted from the first one on, through all changes, also after a start', async () => {
    const first = current()
    await rotate()
    await rotate()
    await journal.append(aRecord(1))
    await checkpointsOf().sign()
    expect(journal.outcomes(auditPublicKey(first)).filter(outcome => !outcome.endsWith('unknownKey'))).toEqual([
      'record',
      'change valid',
      'change valid',
      'checkpoint valid',
    ])
  })

  it('needs to be asked for if the HSM has lost the former one, and is then not trusted', async () => {
    const former = current()
    const { revision } = former
    await fixture.hsm.destroyKey(objectOf(former.material).id)
    await expect(rotate()).rejects.toMatchObject({
      code: 'InvalidState',
      message: expect.stringContaining('former-key'),
    })
    expect(current().revision).toBe(revision)
    await rotate({ formerKeyLost: true })
    await journal.append(aRecord(1))
    await checkpointsOf().sign()
    expect(journal.outcomes(auditPublicKey(former)).at(-1)).toBe('checkpoint unknownKey')
    expect(journal.outcomes(auditPublicKey(current())).at(-1)).toBe('checkpoint valid')
  })

  it('is not replaced by one that another gateway had begun to create before', async () => {
    const destroy = destroyObjects.start(fixture.services)
    await destroy()
    const { length } = await fixture.objects()
    let isFirst = true
    const during = async () => {
      if (isFirst) {
        isFirst = false
        await rotate()
      }
    }
    const slow: Services['hsms'] = altered<Services['hsms']>(fixture.hsms, {
      named(name) {
        const hsm = fixture.hsms.named(name)
        return altered(hsm, {
          generateKey: async (...call) => {
            await during()
            return hsm.generateKey(...call)
          },
        })
      },
    })
    const services = { ...vault(), hsms: slow }
    const changes = new Changes()
    await rotateAuditKey.run({ ...(services as object), input: { formerKeyLost: false }, changes } as never)
    const kept = current()
    await expect(fixture.storage.commit(changes)).rejects.toThrow(Conflict)
    await rotateAuditKey.undo!(changes, services)
    expect(current()).toEqual(kept)
    await destroy()
    expect(await fixture.objects()).toHaveLength(length)
  })

  it('on another HSM is signed by the one it replaces there', async () => {
    const former = current()
    const second = await fixture.hsms.connect({ ...other.options, name: 'second', workers: 1 })
    await createAuditKey(second, vault(), { command: 'test' })
    expect(fixture.records).toMatchObject([
      {
        eventName: 'CreateSystemKey',
        additionalEventData: {
          hsm: 'second',
          purpose: 'audit',
          fingerprint: fingerprintOf(auditPublicKey(current())),
          previousFingerprint: fingerprintOf(auditPublicKey(former)),
        },
      },
    ])
    expect(fixture.storage.systemKeys.find('test', 'audit')).toBeUndefined()
    await journal.append(aRecord(1))
    await checkpointsOf().sign()
    expect(journal.outcomes(auditPublicKey(former)).slice(-2)).toEqual(['change valid', 'checkpoint valid'])
    await createAuditKey(second, vault(), { command: 'test' })
    expect(fixture.records).toHaveLength(1)
  })

  it('is created though the HSM it is moved from has lost the former one', async () => {
    await fixture.hsms.named('second').destroyKey(objectOf(current().material).id)
    await createAuditKey(fixture.hsm, vault(), { command: 'test' })
    expect(objectOf(current().material).hsm).toBe('test')
    await destroyObjects.start(fixture.services)()
    expect(await fixture.hsms.named('second').objects()).toEqual([])
  })

  it('is refused by an HSM that has no such keys, in one line for the operator', async () => {
    const hsm = altered(fixture.hsm, { name: 'old', whyUnsupported: () => 'the HSM has no mechanism for them' })
    const refused = ensureAuditKey(hsm, vault() as unknown as Installation)
    await expect(refused).rejects.toThrow(OperatorError)
    await expect(refused).rejects.toThrow(
      /^the HSM old cannot sign audit checkpoints: .* the HSM has no mechanism for them; name another in audit.checkpoints.hsm$/,
    )
  })

  it('leaves nothing on the HSM if the former one cannot sign', async () => {
    const before = await fixture.objects()
    const hsms = signingAs(() => Promise.reject(new Failure('KeyUnavailable')))
    await fixture.hsms.connect({ ...other.options, name: 'third', workers: 1 })
    const services = { ...vault(), hsms }
    await expect(createAuditKey(fixture.hsms.named('third'), services, {})).rejects.toThrow()
    const changes = new Changes()
    const run = rotateAuditKey.run({ ...(services as object), input: { formerKeyLost: false }, changes } as never)
    await expect(run).rejects.toThrow()
    await rotateAuditKey.undo!(changes, services)
    expect(await fixture.objects()).toEqual(before)
    expect(await fixture.hsms.named('third').objects()).toEqual([])
  })
})
