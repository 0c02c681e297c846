import { copyFileSync, existsSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { AuditRecord } from '../../src/audit/entry.ts'
import { type Gateway, type Installation, install, recordsIn, serve, strongroom } from './gateway.ts'
import { refusal, send } from './requests.ts'

/** Storage and audit file that are lost, moved or replaced, under a gateway that runs and before one starts. */

let installation: Installation
let gateway: Gateway
let storage: string
let audit: string

beforeAll(async () => {
  installation = await install()
  storage = join(installation.folder, 'strongroom.db')
  audit = join(installation.folder, 'audit.jsonl')
  gateway = await serve(installation)
})
afterAll(async () => {
  await gateway?.kill()
  installation?.remove()
})

const init = () => strongroom(['init', '--data', installation.folder, '--account', '111122223333'])
const initWithoutAudit = async () => {
  renameSync(audit, `${audit}.lost`)
  const ended = await init()
  renameSync(`${audit}.lost`, audit)
  return ended
}
const verify = () => {
  const key = join(installation.folder, 'audit-key.pem')
  return strongroom(['audit', 'verify', '--data', installation.folder, '--public-key', key])
}
const serveOnce = () => strongroom(['serve', '--data', installation.folder, '--port', '0'])
const names = (records: readonly AuditRecord[]) => records.map(({ eventName }) => eventName)
const away = (path: string) => renameSync(path, `${path}.away`)
const back = (path: string) => renameSync(`${path}.away`, path)

/** Parts of readiness, after the cache of two seconds. */
async function parts(expected: Readonly<Record<string, string>>, status: number): Promise<void> {
  const ready = async () => {
    const answer = await send(`${gateway.url}/readyz`, {})
    return { status: answer.status, ...(JSON.parse(answer.body) as { parts: object }).parts }
  }
  await expect.poll(ready, { timeout: 15_000 }).toMatchObject({ status, ...expected })
  expect(await send(`${gateway.url}/healthz`, {})).toMatchObject({ status: 200 })
}

/** Number of key generations of an HSM. */
async function keysMade(): Promise<number> {
  const { body } = await send(`${gateway.metricsUrl}/metrics`, {})
  const counts = body.matchAll(/^strongroom_hsm_calls_total\{.*operation="generate_key".*\} (\d+)$/gm)
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0)
}

describe('a gateway whose files disappear', () => {
  it('changes nothing while storage is missing, still encrypts, and resumes when it is back', async () => {
    const kms = gateway.client()
    const KeyId = (await kms.createKey({})).KeyMetadata!.KeyId!
    const copy = () => copyFileSync(`${storage}.away`, storage)
    for (const [file, replace] of [
      [`${storage}-wal`, () => {}],
      [storage, copy],
      [storage, () => {}],
    ] as const) {
      away(file)
      replace()
      expect(await refusal(kms.createKey({}))).toBe('KMSInternalException')
      const made = await keysMade()
      expect(made).toBeGreaterThan(0)
      for (let times = 0; times < 5; times++) expect(await refusal(kms.createKey({}))).toBe('KMSInternalException')
      expect(await keysMade()).toBe(made)
      expect(await refusal(kms.updateKeyDescription({ KeyId, Description: 'lost' }))).toBe('KMSInternalException')
      await kms.encrypt({ KeyId, Plaintext: Buffer.from('text') })
      if (file === storage) await parts({ storage: 'failing', audit: 'ok' }, 503)
      back(file)
      await kms.updateKeyDescription({ KeyId, Description: 'found' })
    }
    await parts({ storage: 'ok' }, 200)
    expect((await kms.listKeys({})).Keys).toHaveLength(1)
  })

  it('answers nothing while the audit file is missing, and resumes when it is back', async () => {
    const kms = gateway.client()
    const KeyId = (await kms.listKeys({})).Keys![0]!.KeyId!
    away(audit)
    expect(await refusal(kms.encrypt({ KeyId, Plaintext: Buffer.from('text') }))).toBe('KMSInternalException')
    expect(await refusal(kms.createKey({}))).toBe('KMSInternalException')
    expect(existsSync(audit)).toBe(false)
    await parts({ storage: 'ok', audit: 'failing' }, 503)
    back(audit)
    await parts({ audit: 'ok' }, 200)
    await kms.encrypt({ KeyId, Plaintext: Buffer.from('text') })
    expect((await kms.listKeys({})).Keys).toHaveLength(1)
  })

  it('restores an audit file that was removed, and loses no record', async () => {
    const kms = gateway.client()
    const records = gateway.records()
    rmSync(audit)
    expect(await refusal(kms.listKeys({}))).toBe('KMSInternalException')
    await kms.listKeys({})
    const after = gateway.records()
    expect(after.slice(0, records.length)).toEqual(records)
    const added = after.slice(records.length)
    expect(names(added).sort()).toEqual(['ListKeys', 'ListKeys', 'RecoverAuditJournal', 'RestoreAuditJournal'])
    const outcomes = added.filter(({ eventName }) => eventName === 'ListKeys').map(({ errorCode }) => errorCode)
    expect(outcomes).toEqual(['KMSInternalException', undefined])
    expect(await verify()).toMatchObject({ code: 0, stdout: expect.stringContaining('segments 1 to 2') })
    await parts({ audit: 'ok' }, 200)
  })

  it('notices without requests that the audit file was truncated, and goes on in the next one', async () => {
    truncateSync(audit, 0)
    const isNoticed = async () => {
      await send(`${gateway.url}/readyz`, {})
      return names(gateway.records()).includes('AuditJournalDamaged')
    }
    await expect.poll(isNoticed, { timeout: 15_000 }).toBe(true)
    await parts({ audit: 'ok' }, 200)
    const damaged = gateway.records().find(({ eventName }) => eventName === 'AuditJournalDamaged')
    expect(damaged).toMatchObject({
      eventSource: 'strongroom',
      eventType: 'AwsServiceEvent',
      serviceEventDetails: {
        segment: 2,
        fault: 'changedByAnotherProcess',
        file: `${installation.folder}/audit-00000002.jsonl`,
      },
    })
    expect((await send(`${gateway.metricsUrl}/metrics`, {})).body).toContain('\nstrongroom_audit_damaged 1\n')
    expect(await verify()).toMatchObject({ code: 1, stdout: expect.stringContaining('audit-00000002.jsonl') })
  })
})

describe('serve', () => {
  it('creates a new audit file after the old one was moved away', async () => {
    await gateway.stop()
    away(audit)
    gateway = await serve(installation)
    const KeyId = (await gateway.client().createKey({})).KeyMetadata!.KeyId!
    expect(names(recordsIn(audit))).toEqual(['AuditJournalDamaged', 'StartGateway', 'CreateKey'])
    await gateway.client().disableKey({ KeyId })
    expect(await gateway.stop()).toBe(0)
  })

  it('does not start without its storage, and neither serve nor init creates a new one', async () => {
    away(storage)
    for (const start of [serveOnce, init, initWithoutAudit]) {
      const { code, stderr } = await start()
      expect(code).toBe(1)
      expect(stderr).toBe(
        `strongroom: storage ${storage} is missing: restore it from a backup; strongroom init creates it only if there are no audit records, token or credentials\n`,
      )
      expect(existsSync(storage)).toBe(false)
    }
    renameSync(audit, `${audit}.too`)
    expect((await init()).stderr).toContain(`storage ${storage} is missing`)
    renameSync(`${audit}.too`, audit)
    writeFileSync(storage, '', { mode: 0o600 })
    for (const start of [serveOnce, init]) {
      expect((await start()).stderr).toBe(`strongroom: storage ${storage} is empty: restore it from a backup\n`)
    }
    back(storage)
  })

  it.each(['seal', 'canary'])('does not start with storage that lacks the %s key of an HSM', async purpose => {
    const { code, stderr } = await without(purpose, serveOnce)
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: `strongroom: storage ${storage} has no ${purpose} key for the HSM softhsm: if that HSM is new, run strongroom init\n`,
    })
  })
})

/** Runs `work` while storage has forgotten the key. */
async function without<T>(purpose: string, work: () => Promise<T>): Promise<T> {
  const rename = (from: string, to: string) => {
    using database = new DatabaseSync(storage)
    database.prepare('update system_keys set purpose = ? where purpose = ?').run(to, from)
  }
  rename(purpose, 'forgotten')
  try {
    return await work()
  } finally {
    rename('forgotten', purpose)
  }
}
