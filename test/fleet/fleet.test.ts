/** Three gateways on one PostgreSQL and one token: short forms of test/soak/fleet*.test.ts. */
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { ownPostgresql } from '../postgresql.ts'
import { SeededRandom } from '../soak/seeded-random.ts'
import { TcpProxy } from '../tcp-proxy.ts'
import { allAccounted, noteCommits, unaccounted } from './accounting.ts'
import type { Answer } from './client.ts'
import { queued, whileLocked } from './commits.ts'
import { Fleet, type Member } from './fleet.ts'
import { Ledger } from './ledger.ts'
import { checkedLoad } from './load.ts'
import { torment } from './nemesis.ts'
import { revocations, tries } from './revocations.ts'

vi.setConfig({ testTimeout: 60_000 })

let server: Awaited<ReturnType<typeof ownPostgresql>>
let fleet: Fleet
beforeAll(async () => {
  server = await ownPostgresql({ isReplicated: true })
  fleet = await Fleet.start({ server })
  await noteCommits(fleet)
})
afterAll(async () => {
  await fleet?.[Symbol.asyncDispose]()
  await server?.[Symbol.asyncDispose]()
})

const seed = Date.now() % 2 ** 31

describe('revoked at one gateway, no other one allows it once that is answered', () => {
  it.each(Object.entries(revocations))('%s', async (_, revocation) => {
    const subject = await revocation(fleet)
    expect(await tries(subject, fleet.members, 4)).toEqual([])
  })
})

describe('a change that waits for its turn to be committed', () => {
  it('is refused when what allows it is revoked before', async () => {
    const [one, two] = fleet.members as [Member, Member]
    const { administrator, user, userArn } = fleet.clients
    const { KeyMetadata } = await administrator.expect(one.url, 'CreateKey', {})
    const { Arn: KeyId } = KeyMetadata as { Arn: string }
    const grant = { KeyId, GranteePrincipal: userArn, Operations: ['CreateGrant', 'Encrypt'] }
    const { GrantId } = await administrator.expect(one.url, 'CreateGrant', grant)
    let answers: Promise<Answer>[] = []
    await whileLocked(fleet, server, async () => {
      answers = [administrator.call(one.url, 'RevokeGrant', { KeyId, GrantId })]
      await queued(fleet, 1)
      answers.push(user.call(two.url, 'CreateGrant', { ...grant, Operations: ['Encrypt'] }))
      await queued(fleet, 2)
    })
    const codes = (await Promise.all(answers)).map(({ code }) => code)
    expect(codes).toEqual([undefined, 'AccessDeniedException'])
    expect((await administrator.expect(two.url, 'ListGrants', { KeyId })).Grants).toEqual([])
  })

  it('is refused when its gateway loses its lease before, and can be repeated', async () => {
    const [, two] = fleet.members as [Member, Member]
    const { administrator } = fleet.clients
    const { KeyMetadata } = await administrator.expect(two.url, 'CreateKey', {})
    const { KeyId } = KeyMetadata as { KeyId: string }
    let answer: Promise<Answer> | undefined
    await whileLocked(fleet, server, async () => {
      answer = administrator.call(two.url, 'DisableKey', { KeyId })
      await queued(fleet, 1)
      // As `strongroom fleet remove`.
      await fleet.database.sql(`update gateways set lease_until = 0, run = 'another' where name = '${two.name}'`)
    })
    expect((await answer!).status).toBeGreaterThanOrEqual(500)
    const [row] = await fleet.database.sql(`select state from keys where id = '${KeyId}'`)
    expect(row).toEqual({ state: 'Enabled' })
    await vi.waitFor(() => administrator.expect(two.url, 'DisableKey', { KeyId }), { timeout: 20_000, interval: 100 })
  })

  it('is answered as it ended, though its connection is lost in mid-commit', async () => {
    const [one] = fleet.members as [Member]
    const { administrator } = fleet.clients
    const { KeyMetadata } = await administrator.expect(one.url, 'CreateKey', {})
    const { KeyId } = KeyMetadata as { KeyId: string }
    let cuts = 0
    let committing: object | undefined
    let isCommit = false
    one.proxy.tap = (data, from, cut, connection) => {
      if (from === 'client' && data.includes('DisableKey')) committing = connection
      if (connection !== committing || cuts > 0) return
      if (from === 'client') isCommit = data.includes('commit')
      else if (isCommit) {
        cuts++
        cut()
      }
    }
    const { code } = await administrator.call(one.url, 'DisableKey', { KeyId })
    one.proxy.tap = undefined
    expect([cuts, code]).toEqual([1, undefined])
    const { KeyMetadata: now } = await administrator.expect(one.url, 'DescribeKey', { KeyId })
    expect(now).toMatchObject({ KeyState: 'Disabled' })
  })
})

it(`answer as one gateway that does one request at a time, while connections and gateways are lost (seed ${seed})`, async () => {
  const random = new SeededRandom(seed)
  const until = delay(2500)
  const faulty = torment(fleet, server, random, {
    longest: 500,
    until,
    names: ['cutConnections', 'stallConnections', 'suspendGateway', 'cutInMidCommit'],
  })
  const checked = await checkedLoad(fleet, random, until, { lanes: 1, clients: 4, requestsPerClient: 10 })
  await faulty
  expect(checked.violations).toEqual([])
  expect(checked.partitions).toBeGreaterThan(0)
})

it('end in order while the database is away', async () => {
  const [member] = fleet.members as [Member]
  const refused = member.proxy.refuse()
  member.proxy.cut()
  await refused
  await member.stop()
  await member.proxy.accept()
  await member.start()
})

it('lose and repeat nothing when a gateway and PostgreSQL are killed', async () => {
  const random = new SeededRandom(seed)
  const until = Promise.withResolvers<void>()
  const ledgers = fleet.members.map((_, index) => new Ledger(`writer-${index}`, fleet, random))
  const changing = Promise.all(ledgers.map(ledger => ledger.change(until.promise)))
  const [member] = fleet.members
  await delay(300)
  await member!.kill()
  await server.kill()
  await server.start()
  await member!.start()
  await delay(300)
  until.resolve()
  await changing
  expect(ledgers.flatMap(({ wrong }) => wrong)).toEqual([])
  for (const ledger of ledgers) expect(await ledger.faults(fleet.database)).toEqual([])
  await fleet.stop()
  const answered = new Set(ledgers.flatMap(ledger => [...ledger.answered]))
  expect(await unaccounted(fleet, answered)).toEqual(allAccounted)
  expect(answered.size).toBeGreaterThan(10)
})

it('go on with a replica that lagged, agree about its state, and report what it lost', async () => {
  const [one, two] = fleet.members as [Member, Member]
  const { administrator } = fleet.clients
  await using link = await TcpProxy.to(server)
  await using replica = await server.replica(link)
  await Promise.all([one.start(), two.start()])
  const create = async (at: Member) => {
    const { KeyMetadata } = await administrator.expect(at.url, 'CreateKey', {})
    return (KeyMetadata as { KeyId: string }).KeyId
  }
  const kept = await create(one)
  const isReplicated = async () => {
    const rows = await replica.sql(`select id from keys where id = '${kept}'`, fleet.database.database)
    expect(rows).toHaveLength(1)
  }
  await vi.waitFor(isReplicated, 10_000)
  link.stall()
  const lost = await create(one)
  await administrator.expect(two.url, 'DisableKey', { KeyId: kept })
  await server.kill()
  await replica.promote()
  fleet.failOver(replica)
  // Commits after the fail-over have the numbers of those that were lost.
  const next = await vi.waitFor(() => create(two), { timeout: 20_000, interval: 100 })
  const states = async (KeyId: string) => {
    const answers = [one, two].map(({ url }) => administrator.call(url, 'DescribeKey', { KeyId }))
    return (await Promise.all(answers)).map(({ code, output }) => {
      return code ?? (output.KeyMetadata as { KeyState: string }).KeyState
    })
  }
  expect(await states(next)).toEqual(['Enabled', 'Enabled'])
  expect(await states(kept)).toEqual(['Enabled', 'Enabled'])
  expect(await states(lost)).toEqual(['NotFoundException', 'NotFoundException'])
  await administrator.expect(one.url, 'DisableKey', { KeyId: kept })
  expect(await states(kept)).toEqual(['Disabled', 'Disabled'])
  const reports = fleet.members
    .flatMap(member => member.complaints())
    .filter(line => line.includes('storage_changes_lost'))
  expect(reports.length).toBeGreaterThan(0)
})
