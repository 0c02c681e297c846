/** The drill: a backup is taken while a gateway works, the world goes on, and the backup is restored beside the newer token. */
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { KMS } from '@aws-sdk/client-kms'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Gateway, type Installation, install, recordsOf, serve, strongroom } from './gateway.ts'
import { destroyOn } from './token-objects.ts'

/** The engine of a drill. */
export interface Place {
  /** Moves storage there, before a gateway starts. */
  prepare(installation: Installation): Promise<void>
  /** Leaves the configuration with an empty storage. */
  lose(installation: Installation): Promise<void>
}

export function drill(engine: string, place: Place): void {
  let installation: Installation
  let other: Installation
  let gateway: Gateway
  let kms: KMS
  let file: string

  const Plaintext = Buffer.from('plaintext')
  const restore = (...options: string[]) => strongroom(['restore', file, '--data', installation.folder, ...options])
  const backup = (to: string) => strongroom(['backup', to, '--data', installation.folder])

  beforeAll(async () => {
    ;[installation, other] = await Promise.all([install(), install()])
    await place.prepare(installation)
    file = join(installation.folder, 'first.backup')
    gateway = await serve(installation)
    kms = gateway.client()
  })
  afterAll(async () => {
    await gateway?.kill()
    installation?.remove()
    other?.remove()
  })

  async function create(input: Parameters<KMS['createKey']>[0] = {}) {
    const { KeyMetadata } = await kms.createKey(input)
    return { arn: KeyMetadata!.Arn!, object: KeyMetadata!.CurrentKeyMaterialId! }
  }

  describe(`a backup of storage in ${engine}`, () => {
    it('is restored beside a newer token, which the dry run compares with it, key by key', {
      timeout: 120_000,
    }, async () => {
      const [kept, deleted] = [await create({ Description: 'kept' }), await create({ Description: 'deleted' })]
      await kms.createKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' })
      await kms.createKey({ KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' })
      await kms.createKey({ KeySpec: 'RSA_2048', KeyUsage: 'ENCRYPT_DECRYPT' })
      const { CiphertextBlob } = await kms.encrypt({ KeyId: kept.arn, Plaintext })

      // Under load: commits go on.
      let isWorking = true
      const load = (async () => {
        for (let number = 0; isWorking; number++) {
          await kms.updateKeyDescription({ KeyId: kept.arn, Description: `change ${number}` })
        }
      })()
      const { code, stdout, stderr } = await backup(file)
      isWorking = false
      await load
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      expect(stdout).toMatch(/^Backup of .* up to change \d+: .*\nIt can be read only with the token of softhsm/)
      expect(statSync(file).mode & 0o777).toBe(0o600)
      expect((await backup(file)).stderr).toContain('a backup does not replace a file')
      expect(await restore('--dry-run')).toMatchObject({ code: 0, stderr: '' })

      const later = await create({ Description: 'later' })
      await destroyOn(installation, deleted.object)
      const dryRun = await restore('--dry-run')
      expect(dryRun.code).toBe(1)
      expect(dryRun.stdout).toMatch(new RegExp(`missing on the HSM: softhsm ${deleted.object} .*: ${deleted.arn}`))
      expect(dryRun.stdout).toMatch(new RegExp(`not in the backup: softhsm ${later.object} .*: ${later.arn}`))
      expect(dryRun.stdout).toMatch(/1 missing, 0 faulty, 0 not checked; 1 on the HSMs are not in the backup\n$/)

      // Storage is there, and then in use, and then gone.
      expect((await restore('--allow-missing')).stderr).toMatch(/in use by another Strongroom process|is not empty/)
      await gateway.stop()
      expect((await restore('--allow-missing')).stderr).toMatch(/is not empty/)
      await place.lose(installation)
      expect(await restore()).toMatchObject({ code: 1, stderr: expect.stringContaining('--allow-missing') })
      const unfilled = await strongroom(['serve', '--data', installation.folder, '--port', '0'])
      expect(unfilled.stderr).toMatch(/restore it from a backup/)
      expect(await restore('--allow-missing')).toMatchObject({ code: 0, stderr: '' })

      gateway = await serve(installation)
      kms = gateway.client()
      expect(Buffer.from((await kms.decrypt({ CiphertextBlob })).Plaintext!)).toEqual(Plaintext)
      await expect(kms.describeKey({ KeyId: later.arn })).rejects.toThrow(/does not exist/)
      const state = async () => (await kms.describeKey({ KeyId: deleted.arn })).KeyMetadata!.KeyState
      await expect.poll(state).toBe('Unavailable')
      const names = recordsOf(installation).map(({ eventName }) => eventName)
      expect(names).toContain('CreateBackupKey')
      expect(names.filter(name => name === 'RestoreStorage')).toHaveLength(1)
      expect(gateway.complaints().join('\n')).toMatch(/Storage is older than the audit file/)
      expect(await create()).toBeDefined()
      await gateway.stop()
    })

    it('is refused by another token, after a change, and by an older version', { timeout: 60_000 }, async () => {
      const [header] = readFileSync(file, 'utf8').split('\n', 1)
      const { dataKeys } = JSON.parse(header!) as { dataKeys: { object: string }[] }
      await destroyOn(other, dataKeys[0]!.object)
      const elsewhere = await strongroom(['restore', file, '--data', other.folder, '--dry-run'])
      expect(elsewhere).toMatchObject({ code: 1, stdout: '' })
      expect(elsewhere.stderr).toMatch(/cannot be decrypted: the HSM softhsm does not have the seal key/)
      const bytes = readFileSync(file)
      const refused = async (changed: Buffer) => {
        const wrong = join(installation.folder, 'wrong.backup')
        writeFileSync(wrong, changed)
        return (await strongroom(['restore', wrong, '--data', installation.folder, '--dry-run'])).stderr
      }
      expect(await refused(Buffer.from(bytes).fill(0, bytes.length - 100))).toMatch(
        /damaged, or has been tampered with/,
      )
      const newer = bytes.toString('latin1').replace(/"schema":\d+/, '"schema":9999')
      expect(await refused(Buffer.from(newer, 'latin1'))).toMatch(/schema 9999, this version supports/)
    })
  })
}
