import { randomInt } from 'node:crypto'
import { existsSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { KMS } from '@aws-sdk/client-kms'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { version } from '../../src/version.ts'
import { thorough } from '../thorough.ts'
import { allAccounted, noteCommits, unaccounted } from './audit-consistency.ts'
import { type Gateway, home, type Installation, install, recordsOf, serve } from './gateway.ts'
import { refusal, send } from './requests.ts'

/** Killed processes and lost tokens: what was answered is kept, and what can continue continues. */

/** How often the gateway is killed in a test. */
const rounds = thorough ? 5 : 1

let installation: Installation
let gateway: Gateway

beforeAll(async () => {
  installation = await install({ workers: 2 })
  noteCommits(installation)
  gateway = await serve(installation)
})
afterAll(async () => {
  await gateway?.kill()
  installation?.remove()
})

describe('a gateway that is killed at any moment', () => {
  /** What one client was answered, step by step, and the step that it was not answered any more. */
  interface Story {
    readonly keyId?: string
    readonly done: readonly string[]
    readonly begun?: string | undefined
    readonly requestIds: readonly string[]
  }

  const Tags = [{ TagKey: 'born', TagValue: 'with it' }]
  const steps = ['CreateKey', 'CreateAlias', 'TagResource', 'UpdateKeyDescription', 'ScheduleKeyDeletion'] as const

  /** Goes through the steps with one key after another until the gateway is gone. */
  async function live(kms: KMS, name: string, answered: () => void): Promise<Story[]> {
    const stories: Story[] = []
    for (let number = 0; ; number++) {
      let keyId: string | undefined
      const done: string[] = []
      const requestIds: string[] = []
      const work: Record<(typeof steps)[number], () => Promise<{ $metadata: { requestId?: string | undefined } }>> = {
        async CreateKey() {
          const created = await kms.createKey({ Description: `${name} ${number}`, Tags })
          keyId = created.KeyMetadata!.KeyId!
          return created
        },
        CreateAlias: () => kms.createAlias({ AliasName: `alias/${name}-${number}`, TargetKeyId: keyId! }),
        TagResource: () => kms.tagResource({ KeyId: keyId!, Tags: [{ TagKey: 'later', TagValue: 'x' }] }),
        UpdateKeyDescription: () => kms.updateKeyDescription({ KeyId: keyId!, Description: 'changed' }),
        ScheduleKeyDeletion: () => kms.scheduleKeyDeletion({ KeyId: keyId! }),
      }
      for (const step of steps) {
        try {
          const { $metadata } = await work[step]()
          requestIds.push($metadata.requestId!)
          done.push(step)
          answered()
        } catch {
          return [...stories, { ...(keyId !== undefined && { keyId }), done, begun: step, requestIds }]
        }
      }
      stories.push({ keyId: keyId!, done, requestIds })
    }
  }

  /** What the gateway shows of a key, as the steps that must have led there. */
  async function shown(kms: KMS, KeyId: string): Promise<string[]> {
    const [{ KeyMetadata }, { Aliases }, tags] = await Promise.all([
      kms.describeKey({ KeyId }),
      kms.listAliases({ KeyId }),
      kms.listResourceTags({ KeyId }),
    ])
    expect(tags.Tags![0]).toEqual(Tags[0])
    expect(KeyMetadata!.DeletionDate === undefined).toBe(KeyMetadata!.KeyState === 'Enabled')
    return steps.filter(step => {
      if (step === 'CreateAlias') return Aliases!.length === 1
      if (step === 'TagResource') return tags.Tags!.length === 2
      if (step === 'UpdateKeyDescription') return KeyMetadata!.Description === 'changed'
      return step === 'CreateKey' || KeyMetadata!.KeyState === 'PendingDeletion'
    })
  }

  it('loses no acknowledged change, leaves no partial change, and keeps its keys', async () => {
    const KeyId = (await gateway.client().createKey({})).KeyMetadata!.KeyId!
    const { CiphertextBlob } = await gateway.client().encrypt({ KeyId, Plaintext: Buffer.from('from before') })
    for (let round = 0; round < rounds; round++) {
      const kms = gateway.client()
      const killAfter = randomInt(1, 60)
      let answers = 0
      const enough = Promise.withResolvers<void>()
      const clients = Array.from({ length: 8 }, (_, i) =>
        live(kms, `round${round}-client${i}`, () => {
          if (++answers === killAfter) enough.resolve()
        }),
      )
      await enough.promise
      await gateway.kill()
      const stories = (await Promise.all(clients)).flat()

      gateway = await serve(installation)
      expect(gateway.complaints().filter(line => line.includes('storage_outdated'))).toEqual([])
      const after = gateway.client()
      const recorded = new Set(gateway.records().map(({ requestID }) => requestID))
      for (const { keyId, done, begun, requestIds } of stories) {
        for (const id of requestIds) expect(recorded).toContain(id)
        if (keyId === undefined) continue
        const found = await shown(after, keyId)
        expect([done, [...done, begun]]).toContainEqual(found)
      }
      const { Plaintext } = await after.decrypt({ CiphertextBlob })
      expect(Buffer.from(Plaintext!).toString()).toBe('from before')
      await after.encrypt({ KeyId, Plaintext })
    }
    await gateway.stop()
    expect(unaccounted(installation)).toEqual(allAccounted)
    gateway = await serve(installation)
    const kms = gateway.client()
    for (const { KeyId } of (await kms.listKeys({ Limit: 1000 })).Keys!) {
      // Every key in storage is on the token, even if its creation was not answered.
      if ((await kms.describeKey({ KeyId })).KeyMetadata!.Enabled) {
        await kms.encrypt({ KeyId, Plaintext: Buffer.from('text') })
      }
    }
  }, 60_000)
})

describe('a gateway that is killed while access keys are rotated', () => {
  interface AccessKey {
    readonly accessKeyId: string
    readonly secretAccessKey: string
  }
  interface Rotation {
    readonly user: string
    /** Of the step that was not answered: nothing of it is done, or all. */
    readonly begun: 'create' | 'deactivate' | 'delete'
    /** What the user works with. */
    readonly current: AccessKey
    /** On its way out. */
    readonly former?: AccessKey | undefined
    readonly rounds: number
  }

  async function administer<O = unknown>(operation: string, input: object): Promise<O> {
    const socketPath = join(installation.folder, 'strongroom.sock')
    const body = Buffer.from(JSON.stringify(input))
    const answer = await send('http://gateway', { socketPath, method: 'POST', path: `/${operation}` }, body)
    if (answer.status !== 200) throw new Error(answer.body)
    return JSON.parse(answer.body) as O
  }

  const listKeys = (credentials: AccessKey) => gateway.client({ credentials }).listKeys({ Limit: 1 })
  const create = (user: string) => administer<AccessKey>('CreateAccessKey', { user, account: home })

  /** Rotates the access keys of a user until the gateway is gone. */
  async function rotate(user: string, first: AccessKey, answered: () => void): Promise<Rotation> {
    let current = first
    let former: AccessKey | undefined
    let begun: Rotation['begun'] = 'create'
    for (let rounds = 0; ; rounds++) {
      try {
        begun = 'create'
        former = current
        current = await create(user)
        answered()
        begun = 'deactivate'
        await administer('UpdateAccessKey', { accessKeyId: former.accessKeyId, status: 'Inactive' })
        answered()
        begun = 'delete'
        await administer('DeleteAccessKey', { accessKeyId: former.accessKeyId })
        answered()
      } catch {
        return { user, begun, current, former: begun === 'create' ? undefined : former, rounds }
      }
    }
  }

  it.runIf(thorough)(
    'keeps the one in use valid, and does each step or none of it',
    async () => {
      const policies = ['arn:aws:iam::aws:policy/AdministratorAccess']
      const users = Array.from({ length: 6 }, (_, n) => `rotating-${n}`)
      for (const name of users)
        await administer('CreateIdentity', { kind: 'user', account: home, name, entry: { policies } })
      for (let round = 0; round < rounds; round++) {
        const firsts = await Promise.all(users.map(create))
        const enough = Promise.withResolvers<void>()
        const killAfter = randomInt(1, 40)
        let answers = 0
        const rotations = users.map((user, n) =>
          rotate(user, firsts[n]!, () => {
            if (++answers === killAfter) enough.resolve()
          }),
        )
        await enough.promise
        await gateway.kill()
        const ended = await Promise.all(rotations)
        gateway = await serve(installation)
        for (const { user, begun, current, former } of ended) {
          await listKeys(current)
          const { accessKeys } = await administer<{ accessKeys: { accessKeyId: string; status: string }[] }>(
            'ListAccessKeys',
            { user, account: home },
          )
          const others = accessKeys.filter(({ accessKeyId }) => accessKeyId !== current.accessKeyId)
          expect(accessKeys.length - others.length).toBe(1)
          if (begun === 'create') expect(others.length).toBeLessThanOrEqual(1)
          else
            expect(others.map(({ accessKeyId }) => accessKeyId)).toEqual(
              begun === 'delete' && others.length === 0 ? [] : [former!.accessKeyId],
            )
          const works = former && (await refusal(listKeys(former))) === 'no refusal'
          if (begun === 'deactivate') expect(works).toBe(others[0]!.status === 'Active')
          if (begun === 'delete') expect(works).toBe(false)
          for (const { accessKeyId } of accessKeys) await administer('DeleteAccessKey', { accessKeyId })
        }
      }
      await gateway.stop()
      expect(unaccounted(installation)).toEqual(allAccounted)
      gateway = await serve(installation)
    },
    60_000,
  )
})

describe('a key past its date', () => {
  it('is destroyed, with its aliases, and its ciphertexts are lost', async () => {
    const kms = gateway.client()
    const [due, kept] = await Promise.all([kms.createKey({}), kms.createKey({})]).then(all =>
      all.map(({ KeyMetadata }) => KeyMetadata as { KeyId: string; Arn: string }),
    )
    await kms.createAlias({ AliasName: 'alias/due', TargetKeyId: due!.KeyId })
    const { CiphertextBlob } = await kms.encrypt({ KeyId: 'alias/due', Plaintext: Buffer.from('text') })
    for (const { KeyId } of [due!, kept!]) await kms.scheduleKeyDeletion({ KeyId, PendingWindowInDays: 7 })
    await gateway.stop()
    const database = new DatabaseSync(join(installation.folder, 'strongroom.db'))
    database.prepare('update keys set deletion_date = ? where id = ?').run(Date.now(), due!.KeyId)
    database.close()
    installation.configure(config => {
      config.log = { level: 'debug' }
      config.hsms.softhsm!.environment.VENDOR_PASSWORD = 'not-a-secret'
    })

    gateway = await serve(installation)
    await gateway.logged(({ event, key }) => event === 'key_deleted' && key === due!.Arn)
    const after = gateway.client()
    expect(await refusal(after.describeKey({ KeyId: due!.KeyId }))).toBe(
      `NotFoundException: Key '${due!.Arn}' does not exist`,
    )
    expect(await refusal(after.describeKey({ KeyId: 'alias/due' }))).toMatch(/^NotFoundException: Alias /)
    expect(await refusal(after.decrypt({ CiphertextBlob }))).toBe(
      'AccessDeniedException: The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.',
    )
    expect(await refusal(after.cancelKeyDeletion({ KeyId: due!.KeyId }))).toMatch(/^NotFoundException: /)
    expect((await after.cancelKeyDeletion({ KeyId: kept!.KeyId })).KeyId).toBe(kept!.Arn)
    expect(gateway.records().map(({ eventName }) => eventName)).toContain('DeleteKey')
  })
})

describe('an HSM worker that is killed', () => {
  it('is replaced without an error for clients, even if it was the last one', async () => {
    const kms = gateway.client()
    const KeyId = (await kms.createKey({})).KeyMetadata!.KeyId!
    const encrypt = async () => {
      const text = String(randomInt(1_000_000))
      const { CiphertextBlob } = await kms.encrypt({ KeyId, Plaintext: Buffer.from(text) })
      const { Plaintext } = await kms.decrypt({ CiphertextBlob })
      return Buffer.from(Plaintext!).toString() === text
    }
    for (const kill of [(pids: number[]) => pids.slice(0, 1), (pids: number[]) => pids]) {
      const before = gateway.startedWorkers()
      const killed = kill(gateway.workers())
      const calls = Array.from({ length: 100 }, encrypt)
      await Promise.any(calls)
      for (const pid of killed) process.kill(pid, 'SIGKILL')
      calls.push(...Array.from({ length: 100 }, encrypt))
      expect(new Set(await Promise.all(calls))).toEqual(new Set([true]))
      await replaced(before)
      await expect.poll(() => gateway.workers(), { timeout: 10_000 }).toHaveLength(2)
    }
    const { body } = await send(`${gateway.metricsUrl}/metrics`, {})
    expect(body).toMatch(/^strongroom_hsm_worker_restarts_total\{hsm="softhsm"\} [1-9]/m)
  })

  /** Waits until a new worker is ready. */
  async function replaced(before: ReadonlySet<unknown>): Promise<void> {
    await gateway.logged(({ event, worker }) => event === 'worker_ready' && !before.has(worker))
  }

  it('cannot be replaced while the token is missing: calls fail at once, /readyz fails, and the gateway recovers by itself', async () => {
    const kms = gateway.client()
    const KeyId = (await kms.createKey({})).KeyMetadata!.KeyId!
    const encrypt = () => kms.encrypt({ KeyId, Plaintext: Buffer.from('text') })
    const tokens = join(installation.folder, 'tokens')
    const away = join(installation.folder, 'tokens-away')
    const before = gateway.startedWorkers()
    renameSync(tokens, away)
    for (const pid of gateway.workers()) process.kill(pid, 'SIGKILL')
    await gateway.logged(({ event }) => event === 'worker_start_failed')

    expect(await refusal(encrypt())).toBe('KeyUnavailableException: The HSM is not available.')
    expect(await refusal(kms.createKey({}))).toBe('KeyUnavailableException: The HSM is not available.')
    await kms.updateKeyDescription({ KeyId, Description: 'needs no token' })
    const { status, body } = await send(`${gateway.url}/readyz`, {})
    expect(status).toBe(503)
    expect(JSON.parse(body)).toEqual({
      status: 'failing',
      parts: { storage: 'ok', audit: 'ok', 'hsm/softhsm': 'failing', 'custody/softhsm': 'ok', clock: 'ok' },
    })
    expect(await send(`${gateway.url}/healthz`, {})).toMatchObject({ status: 200, body: '{"status":"ok"}' })

    expect(existsSync(tokens)).toBe(false)
    renameSync(away, tokens)
    await replaced(before)
    await encrypt()
    // The answer stands for two seconds.
    await expect
      .poll(() => send(`${gateway.url}/readyz`, {}), { timeout: 10_000 })
      .toMatchObject({
        status: 200,
        body: '{"status":"ok","parts":{"storage":"ok","audit":"ok","hsm/softhsm":"ok","custody/softhsm":"ok","clock":"ok"}}',
      })
  })
})

describe('a gateway that is stopped', () => {
  it('answers requests in flight, audits them, and exits with code 0', async () => {
    const kms = gateway.client()
    const KeyId = (await kms.createKey({})).KeyMetadata!.KeyId!
    const calls = Array.from({ length: 50 }, () => kms.encrypt({ KeyId, Plaintext: Buffer.from('text') }))
    const settled = Promise.allSettled(calls)
    await Promise.any(calls)
    process.kill(gateway.pid, 'SIGTERM')
    const outcomes = await settled
    expect(await gateway.ended).toBe(0)
    const recorded = new Set(gateway.records().map(({ requestID }) => requestID))
    for (const outcome of outcomes) {
      // Whoever had not got a connection yet was turned away before it was asked anything.
      if (outcome.status === 'rejected') expect(['ECONNREFUSED', 'ECONNRESET']).toContain(outcome.reason.code)
      else expect(recorded).toContain(outcome.value.$metadata.requestId)
    }
  })
})

describe('the audit', () => {
  it('has each start and stop, why, and what was changed of the configuration in between', () => {
    const own = recordsOf(installation).filter(({ eventSource }) => eventSource === 'strongroom')
    const events = own.map(({ eventName, serviceEventDetails }) => ({ eventName, ...serviceEventDetails }))
    const stopped = { eventName: 'StopGateway', reason: 'SIGTERM' }
    expect(events.at(-1)).toEqual(stopped)
    const started = events.map(({ eventName }) => eventName).indexOf('ChangeConfiguration')
    expect(events.slice(started - 1, started + 2)).toEqual([
      stopped,
      {
        eventName: 'ChangeConfiguration',
        changes: [
          { setting: 'hsms.softhsm.environment.VENDOR_PASSWORD', to: '(not recorded)' },
          { setting: 'log.level', from: 'info', to: 'debug' },
        ],
      },
      { eventName: 'StartGateway', version, gateway: expect.any(String) },
    ])
    const runs = events.filter(({ eventName }) => /^St(?:art|op)Gateway$/.test(eventName!))
    const afterCrash = runs.filter(
      ({ eventName }, n) => eventName === 'StartGateway' && n > 0 && runs[n - 1]!.eventName !== 'StopGateway',
    )
    expect(afterCrash.length).toBeGreaterThan(0)
    expect(runs.filter(run => 'lastStop' in run)).toEqual(afterCrash)
    expect(JSON.stringify(own)).not.toContain('not-a-secret')
  })
})
